package mammoth

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// body makes what a try sends. once: there can be no second try.
type body struct {
	open func() (io.Reader, error)
	once bool
}

// bodyOf sends what a reader has from here on; a second time when it can seek.
func bodyOf(content io.Reader) body {
	if buffer, isBuffer := content.(*bytes.Buffer); isBuffer {
		// Its bytes stay when they are read in this way.
		content = bytes.NewReader(buffer.Bytes())
	}
	seeker, canSeek := content.(io.Seeker)
	start := int64(0)
	if canSeek {
		var err error
		start, err = seeker.Seek(0, io.SeekCurrent)
		canSeek = err == nil
	}
	open := func() (io.Reader, error) {
		if canSeek {
			if _, err := seeker.Seek(start, io.SeekStart); err != nil {
				return nil, err
			}
		}
		return content, nil
	}
	return body{open, !canSeek}
}

// tarOf sends all files of a file system as a tar, made while it is sent.
func tarOf(fsys fs.FS) body {
	return body{open: func() (io.Reader, error) {
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(writeTar(fsys, writer)) }()
		return reader, nil
	}}
}

func writeTar(fsys fs.FS, sink io.Writer) error {
	archive := tar.NewWriter(sink)
	err := fs.WalkDir(fsys, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return addFile(archive, fsys, path)
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

// addFile follows links to files, and leaves nothing out silently.
func addFile(archive *tar.Writer, fsys fs.FS, path string) error {
	file, err := fsys.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		message := fmt.Sprintf("Cannot put %s: it is neither a file nor a directory. Move it away", path)
		return &Error{Code: InvalidArgument, Message: message}
	}
	if err := archive.WriteHeader(&tar.Header{Name: path, Size: info.Size(), Mode: 0o644}); err != nil {
		return err
	}
	written, err := io.Copy(archive, io.LimitReader(file, info.Size()))
	if err == nil && written < info.Size() {
		message := fmt.Sprintf("Cannot read %s: it became shorter while it was read. Repeat the call", path)
		return &Error{Code: Aborted, Message: message}
	}
	return err
}

// sentBody is a body on its way: it says when net/http has let go of it, and marks the failures of its
// source, which are the caller's and not those of the connection.
type sentBody struct {
	io.Reader
	closed chan struct{}
	close  sync.Once
}

type sourceError struct{ error }

func (b *sentBody) Read(slice []byte) (int, error) {
	n, err := b.Reader.Read(slice)
	if err != nil && err != io.EOF && err != io.ErrClosedPipe {
		err = sourceError{err}
	}
	return n, err
}

func (b *sentBody) Close() error {
	b.close.Do(func() {
		if pipe, isPipe := b.Reader.(*io.PipeReader); isPipe {
			pipe.Close()
		}
		close(b.closed)
	})
	return nil
}
