package mammoth

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// PutOptions of puts; nil stands for all defaults.
type PutOptions struct {
	Overwrite bool   // replaces what the path has. Default: appends
	Delimiter string // where records end: line, json or binary. Default: by the suffix of the path
}

// PutFile appends what a reader has to a file of an open commit, and gives the number of bytes.
func (c *Client) PutFile(ctx context.Context, commit Commit, path string, content io.Reader, options *PutOptions) (int64, error) {
	var answer struct{ Bytes int64 }
	err := c.do(ctx, putCall(commitPath(commit)+"/files"+filePath(path), bodyOf(content), options), &answer)
	return answer.Bytes, err
}

// PutFS puts all files of a file system, such as os.DirFS("folder"), below a path of an open commit, all
// or none, and gives their number.
func (c *Client) PutFS(ctx context.Context, commit Commit, path string, fsys fs.FS, options *PutOptions) (int64, error) {
	var answer struct{ Files int64 }
	err := c.do(ctx, putTarCall(commitPath(commit), path, fsys, options), &answer)
	return answer.Files, err
}

// CommitFile is PutFile as one finished commit of its own on a branch.
func (c *Client) CommitFile(ctx context.Context, repo, branch, path string, content io.Reader, options *PutOptions) (*CommitInfo, error) {
	return result[CommitInfo](ctx, c, putCall(branchPath(repo, branch)+"/files"+filePath(path), bodyOf(content), options))
}

// CommitFS is PutFS as one finished commit of its own on a branch.
func (c *Client) CommitFS(ctx context.Context, repo, branch, path string, fsys fs.FS, options *PutOptions) (*CommitInfo, error) {
	return result[CommitInfo](ctx, c, putTarCall(branchPath(repo, branch), path, fsys, options))
}

func putCall(path string, body body, options *PutOptions) call {
	query := url.Values{}
	if options != nil {
		query.Set("overwrite", strconv.FormatBool(options.Overwrite))
		if options.Delimiter != "" {
			query.Set("delimiter", options.Delimiter)
		}
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	return call{method: "POST", path: path, query: query, body: &body, header: header}
}

func putTarCall(base, path string, fsys fs.FS, options *PutOptions) call {
	put := putCall(base+"/tar", tarOf(fsys), options)
	put.query.Set("path", path)
	return put
}

// Range is a part of a file: Size bytes at most from Offset on; Size 0 stands for all that follows.
type Range struct{ Offset, Size int64 }

// GetFile gives the content of a file, or of a part of it when that is not nil; close it.
func (c *Client) GetFile(ctx context.Context, commit Commit, path string, part *Range) (io.ReadCloser, error) {
	header := http.Header{}
	if part != nil && (part.Offset != 0 || part.Size != 0) {
		if part.Offset < 0 || part.Size < 0 {
			return nil, &Error{Code: InvalidArgument, Message: "Cannot read a negative range: count from 0"}
		}
		end := ""
		if part.Size > 0 {
			end = strconv.FormatInt(part.Offset+part.Size-1, 10)
		}
		header.Set("Range", fmt.Sprintf("bytes=%d-%s", part.Offset, end))
	}
	return c.open(ctx, call{method: "GET", path: commitPath(commit) + "/files" + filePath(path), header: header})
}

// InspectFile looks at one file or directory.
func (c *Client) InspectFile(ctx context.Context, commit Commit, path string) (*FileInfo, error) {
	return result[FileInfo](ctx, c, call{method: "GET", path: commitPath(commit) + "/info" + filePath(path)})
}

// ListFiles gives the entries of a directory by path, fetched page by page; with recurse all below it.
// An error is the last that the loop gets.
func (c *Client) ListFiles(ctx context.Context, commit Commit, path string, recurse bool) iter.Seq2[*FileInfo, error] {
	query := url.Values{"recurse": {strconv.FormatBool(recurse)}}
	return pages[FileInfo](ctx, c, call{method: "GET", path: commitPath(commit) + "/list" + filePath(path), query: query})
}

// DiffFiles gives the files at or below a path that differ between two commits of a repo.
func (c *Client) DiffFiles(ctx context.Context, repo, a, b, path string) iter.Seq2[*FileDifference, error] {
	query := url.Values{"a": {a}, "b": {b}}
	return pages[FileDifference](ctx, c, call{method: "GET", path: repoPath(repo) + "/diff" + filePath(path), query: query})
}

// DeleteFile removes a path and all below it from an open commit; one that does not exist is no error.
func (c *Client) DeleteFile(ctx context.Context, commit Commit, path string) error {
	return c.do(ctx, call{method: "DELETE", path: commitPath(commit) + "/files" + filePath(path)}, nil)
}

func pages[T any](ctx context.Context, c *Client, call call) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		query := url.Values{}
		for name, values := range call.query {
			query[name] = values
		}
		call := call
		call.query = query
		for {
			var page struct {
				Files []T
				Next  *string
			}
			if err := c.do(ctx, call, &page); err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Files {
				if !yield(&page.Files[i], nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			query.Set("after", *page.Next)
		}
	}
}

func branchPath(repo, branch string) string {
	return repoPath(repo) + "/branches/" + url.PathEscape(branch)
}

// filePath is a path at the end of a URL: slashes stay, all else is escaped.
func filePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return "/" + strings.Join(parts, "/")
}
