package mammoth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
)

// The client against a real pachd, the one that ADDRESS names.

type fixture struct {
	*testing.T
	client *Client
	ctx    context.Context
	repo   string
	master Commit
}

func setUp(t *testing.T) *fixture {
	if os.Getenv("ADDRESS") == "" {
		t.Skip("ADDRESS names no pachd")
	}
	t.Parallel()
	client, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	f := &fixture{t, client, ctx, newName("go"), Commit{}}
	f.master = Commit{f.repo, "master"}
	must(client.CreateRepo(ctx, f.repo))(f)
	return f
}

func newName(prefix string) string {
	var random [4]byte
	_, _ = rand.Read(random[:])
	return prefix + "_" + hex.EncodeToString(random[:])
}

// must gives the value of a call that has to succeed.
func must[T any](value T, err error) func(f *fixture) T {
	return func(f *fixture) T {
		f.Helper()
		f.ok(err)
		return value
	}
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) fails(code Code, err error) {
	f.Helper()
	if !errors.Is(err, code) {
		f.Fatalf("%v, wanted %s", err, code)
	}
}

func equal[T comparable](f *fixture, got, wanted T) {
	f.Helper()
	if got != wanted {
		f.Fatalf("got %v, wanted %v", got, wanted)
	}
}

func (f *fixture) read(commit Commit, path string, part *Range) string {
	f.Helper()
	content := must(f.client.GetFile(f.ctx, commit, path, part))(f)
	defer content.Close()
	return string(must(io.ReadAll(content))(f))
}

func (f *fixture) commitFile(path, content string) *CommitInfo {
	f.Helper()
	return must(f.client.CommitFile(f.ctx, f.repo, "master", path, strings.NewReader(content), nil))(f)
}

func TestRepos(t *testing.T) {
	f := setUp(t)
	made := newName("made")
	info := must(f.client.CreateRepo(f.ctx, made, f.repo))(f)
	equal(f, fmt.Sprint(info.Provenance), "["+f.repo+"]")
	equal(f, time.Since(info.Created.Time).Abs() < time.Minute, true)
	equal(f, must(f.client.InspectRepo(f.ctx, made))(f).Name, made)
	equal(f, len(must(f.client.ListRepos(f.ctx, f.repo))(f)), 1)
	equal(f, len(must(f.client.ListRepos(f.ctx))(f)) >= 2, true)
	_, err := f.client.CreateRepo(f.ctx, made)
	f.fails(AlreadyExists, err)
	f.fails(FailedPrecondition, f.client.DeleteRepo(f.ctx, f.repo, false))
	f.ok(f.client.DeleteRepo(f.ctx, f.repo, true))
	_, err = f.client.InspectRepo(f.ctx, f.repo)
	f.fails(NotFound, err)
	equal(f, strings.Contains(err.Error(), f.repo), true)
	equal(f, must(f.client.Version(f.ctx))(f) != "", true)
}

func TestCommits(t *testing.T) {
	f := setUp(t)
	open := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f)
	equal(f, open.ID+" "+open.State, "master/0 open")
	equal(f, open.Finished.IsZero(), true)
	equal(f, must(f.client.FinishCommit(f.ctx, open.Commit))(f).State, "finished")
	equal(f, must(f.client.InspectCommit(f.ctx, f.master))(f).UID, open.UID)
	second := f.commitFile("a", "1")
	equal(f, second.Parent, "master/0")
	equal(f, fmt.Sprint(must(f.client.ListBranches(f.ctx, f.repo))(f)), "[master]")
	third := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f)
	equal(f, must(f.client.CancelCommit(f.ctx, third.Commit))(f).State, "cancelled")
	repo := []Commit{{Repo: f.repo}}
	equal(f, len(must(f.client.ListCommits(f.ctx, &ListOptions{Include: repo}))(f)), 2)
	equal(f, len(must(f.client.ListCommits(f.ctx, &ListOptions{Include: repo, Status: "ALL"}))(f)), 3)
	newer := must(f.client.ListCommits(f.ctx, &ListOptions{Include: repo, Exclude: []Commit{open.Commit}}))(f)
	equal(f, len(newer), 1)
}

func TestFinishWaitsForTheParent(t *testing.T) {
	f := setUp(t)
	parent := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f)
	child := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f)
	short, cancel := context.WithTimeout(f.ctx, 200*time.Millisecond)
	defer cancel()
	_, err := f.client.FinishCommit(short, child.Commit)
	equal(f, errors.Is(err, context.DeadlineExceeded), true)
	time.AfterFunc(200*time.Millisecond, func() { _, _ = f.client.FinishCommit(f.ctx, parent.Commit) })
	equal(f, must(f.client.FinishCommit(f.ctx, child.Commit))(f).State, "finished")
}

func TestPutAppendsAndOverwrites(t *testing.T) {
	f := setUp(t)
	commit := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f).Commit
	put := func(path, content string, options *PutOptions) int64 {
		return must(f.client.PutFile(f.ctx, commit, path, strings.NewReader(content), options))(f)
	}
	equal(f, put("/dir//./a", "one\n", nil), 4)
	put("dir/a", "two\n", nil)
	put("b", "old", nil)
	put("b", "new", &PutOptions{Overwrite: true, Delimiter: "binary"})
	put("gone", "x", nil)
	put("empty", "", nil)
	f.ok(f.client.DeleteFile(f.ctx, commit, "gone"))
	must(f.client.FinishCommit(f.ctx, commit))(f)
	equal(f, f.read(commit, "dir/a", nil), "one\ntwo\n")
	equal(f, f.read(commit, "b", nil), "new")
	equal(f, f.read(commit, "empty", nil), "")
	var paths []string
	for file, err := range f.client.ListFiles(f.ctx, commit, "", true) {
		f.ok(err)
		paths = append(paths, file.Path)
	}
	equal(f, strings.Join(paths, " "), "b dir dir/a empty")
	info := must(f.client.InspectFile(f.ctx, commit, "dir"))(f)
	equal(f, fmt.Sprintln(info.Type, info.SizeBytes, info.Children), "dir 8 [a]\n")
	equal(f, info.CommitModified, commit)
	_, err := f.client.PutFile(f.ctx, commit, "late", strings.NewReader("x"), nil)
	f.fails(FailedPrecondition, err)
	_, err = f.client.GetFile(f.ctx, commit, "gone", nil)
	f.fails(NotFound, err)
	for _, err := range f.client.ListFiles(f.ctx, commit, "gone", false) {
		f.fails(NotFound, err)
	}
}

func TestLargeFilesStream(t *testing.T) {
	f := setUp(t)
	data := make([]byte, 3_000_000)
	_, _ = rand.Read(data)
	name := filepath.Join(t.TempDir(), "large")
	f.ok(os.WriteFile(name, append([]byte("skipped"), data...), 0o600))
	file := must(os.Open(name))(f)
	defer file.Close()
	must(file.Seek(7, io.SeekStart))(f)
	commit := must(f.client.CommitFile(f.ctx, f.repo, "master", "large", file, nil))(f)
	equal(f, commit.SizeBytes, 3_000_000)
	equal(f, f.read(commit.Commit, "large", nil) == string(data), true)
	equal(f, f.read(commit.Commit, "large", &Range{Offset: 2_999_990}), string(data[2_999_990:]))
	equal(f, f.read(commit.Commit, "large", &Range{5, 20}), string(data[5:25]))
	_, err := f.client.GetFile(f.ctx, commit.Commit, "large", &Range{Offset: 3_000_000})
	f.fails(OutOfRange, err)
	commit = must(f.client.CommitFile(f.ctx, f.repo, "master", "piped", bytes.NewBufferString("12"), nil))(f)
	equal(f, f.read(commit.Commit, "piped", nil), "12")
}

func TestFolders(t *testing.T) {
	f := setUp(t)
	files := map[string]string{
		"a": "1", "deep/er/b": strings.Repeat("2", 600_000), "deep/" + strings.Repeat("n", 150): "", "deep/ü #?%+": "4",
	}
	folder := t.TempDir()
	for path, content := range files {
		f.ok(os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o700))
		f.ok(os.WriteFile(filepath.Join(folder, path), []byte(content), 0o600))
	}
	first := must(f.client.CommitFS(f.ctx, f.repo, "master", "", os.DirFS(folder), nil))(f)
	second := must(f.client.StartCommit(f.ctx, f.repo, "master"))(f)
	equal(f, must(f.client.PutFS(f.ctx, second.Commit, "below/here", os.DirFS(folder), nil))(f), 4)
	must(f.client.FinishCommit(f.ctx, second.Commit))(f)
	for path, content := range files {
		equal(f, f.read(first.Commit, path, nil) == content, true)
		equal(f, f.read(second.Commit, "below/here/"+path, nil) == content, true)
	}
	f.ok(os.Symlink(folder, filepath.Join(folder, "link")))
	_, err := f.client.CommitFS(f.ctx, f.repo, "master", "", os.DirFS(folder), nil)
	f.fails(InvalidArgument, err)
	equal(f, must(f.client.InspectCommit(f.ctx, f.master))(f).UID, second.UID)
}

func TestListsAndDifferencesComePageByPage(t *testing.T) {
	f := setUp(t)
	files := fstest.MapFS{}
	for i := range 1_100 {
		files[fmt.Sprintf("%04d", i)] = &fstest.MapFile{}
	}
	first := must(f.client.CommitFS(f.ctx, f.repo, "master", "", files, nil))(f)
	second := f.commitFile("0001", "x")
	count := 0
	for _, err := range f.client.ListFiles(f.ctx, first.Commit, "", false) {
		f.ok(err)
		count++
	}
	equal(f, count, 1_100)
	for range f.client.ListFiles(f.ctx, first.Commit, "", false) {
		break
	}
	var changed []string
	for file, err := range f.client.DiffFiles(f.ctx, f.repo, first.ID, second.ID, "") {
		f.ok(err)
		changed = append(changed, fmt.Sprintf("%s %d %d", file.Path, file.Before.SizeBytes, file.After.SizeBytes))
	}
	equal(f, strings.Join(changed, ", "), "0001 0 1")
}

// losingAnswers passes requests on, and cuts the first connections before their answer.
func losingAnswers(t *testing.T, cuts int32) *Client {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: os.Getenv("ADDRESS")})
	left := atomic.Int32{}
	left.Store(cuts)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if left.Add(-1) < 0 {
			proxy.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	client, err := New(&Options{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestALostAnswerIsAskedForAgainAndNothingIsDoneTwice(t *testing.T) {
	f := setUp(t)
	for cuts := range int32(3) {
		client := losingAnswers(t, cuts)
		commit := must(client.StartCommit(f.ctx, f.repo, "master"))(f)
		equal(f, commit.ID, fmt.Sprintf("master/%d", cuts))
		must(client.FinishCommit(f.ctx, commit.Commit))(f)
	}
	client := losingAnswers(t, 2)
	folder := fstest.MapFS{"a": {Data: []byte("1\n")}}
	must(client.CommitFS(f.ctx, f.repo, "master", "", folder, nil))(f)
	client = losingAnswers(t, 2)
	must(client.CommitFile(f.ctx, f.repo, "master", "a", strings.NewReader("2\n"), nil))(f)
	equal(f, f.read(f.master, "a", nil), "1\n2\n")
	equal(f, must(f.client.InspectCommit(f.ctx, f.master))(f).ID, "master/4")
}

// onlyReads hides that a reader can seek.
type onlyReads struct{ io.Reader }

func TestAStreamIsNotSentAgain(t *testing.T) {
	f := setUp(t)
	client := losingAnswers(t, 1)
	_, err := client.CommitFile(f.ctx, f.repo, "master", "a", onlyReads{strings.NewReader("1")}, nil)
	f.fails(Unavailable, err)
	equal(f, f.read(f.master, "a", nil), "1")
	equal(f, must(f.client.InspectCommit(f.ctx, f.master))(f).ID, "master/0")
}

type endless struct{ fails error }

func (e endless) Read(slice []byte) (int, error) { return len(slice), e.fails }

func TestWhatEndsABodyEarly(t *testing.T) {
	f := setUp(t)
	_, err := f.client.CommitFile(f.ctx, "no_such_repo", "master", "a", endless{}, nil)
	f.fails(NotFound, err)
	own := errors.New("the source is gone")
	_, err = f.client.CommitFile(f.ctx, f.repo, "master", "a", endless{own}, nil)
	equal(f, errors.Is(err, own), true)
	short, cancel := context.WithTimeout(f.ctx, 100*time.Millisecond)
	defer cancel()
	_, err = f.client.CommitFile(short, f.repo, "master", "a", endless{}, nil)
	equal(f, errors.Is(err, context.DeadlineExceeded), true)
	equal(f, len(must(f.client.ListCommits(f.ctx, &ListOptions{Include: []Commit{{Repo: f.repo}}}))(f)), 0)
}

func TestConnections(t *testing.T) {
	f := setUp(t)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(f)
	address := listener.Addr().String()
	listener.Close()
	nobody := must(New(&Options{Address: address}))(f)
	_, err := nobody.ListRepos(f.ctx)
	f.fails(Unavailable, err)
	equal(f, strings.Contains(err.Error(), address), true)
	for _, wrong := range []string{"a b", "host:0", "host:99999", "user@host", "host/path"} {
		_, err := New(&Options{Address: wrong})
		f.fails(InvalidArgument, err)
	}
	equal(f, must(New(&Options{Address: "http://[::1]:7/"}))(f).host, "[::1]:7")
	if os.Getenv("PACH_TOKEN_FILE") != "" {
		stranger := must(New(&Options{Token: "wrong"}))(f)
		_, err := stranger.ListRepos(f.ctx)
		f.fails(Unauthenticated, err)
	}
}

func TestPipelinesJobsAndLogs(t *testing.T) {
	f := setUp(t)
	name := newName("upper")
	script := fmt.Sprintf("cat /pfs/%s/a | tee /pfs/out/copy; sleep 1", f.repo)
	created := must(f.client.CreatePipeline(f.ctx, PipelineSpec{
		Pipeline:  Named{name},
		Transform: Transform{Cmd: []string{"sh"}, Stdin: []string{script}},
		Inputs:    []PipelineInput{{Repo: Named{f.repo}, Method: "global"}},
	}))(f)
	equal(f, created.OutputRepo, name)
	commit := f.commitFile("a", "hello\n")
	short, cancel := context.WithTimeout(f.ctx, 50*time.Millisecond)
	defer cancel()
	_, err := f.client.FlushCommits(short, []Commit{commit.Commit})
	equal(f, errors.Is(err, context.DeadlineExceeded), true)
	made := must(f.client.FlushCommits(f.ctx, []Commit{commit.Commit}))(f)
	equal(f, len(made), 2)
	equal(f, made[1].Repo+fmt.Sprint(made[1].Provenance), name+fmt.Sprint([]Commit{commit.Commit}))
	equal(f, f.read(made[1].Commit, "copy", nil), "hello\n")
	jobs := must(f.client.ListJobs(f.ctx, name, commit.Commit))(f)
	equal(f, len(jobs), 1)
	job := must(f.client.WaitJob(f.ctx, jobs[0].ID))(f)
	equal(f, job.State+" "+job.OutputCommit.String(), "success "+made[1].Commit.String())
	equal(f, len(must(f.client.InspectJob(f.ctx, job.ID))(f).Tasks), 1)
	for _, follow := range []bool{false, true} {
		logs := must(f.client.GetLogs(f.ctx, job.ID, follow))(f)
		equal(f, string(must(io.ReadAll(logs))(f)), "0 | hello\n")
		logs.Close()
	}
	equal(f, must(f.client.InspectPipeline(f.ctx, name))(f).JobCounts["success"], 1)
	isOurs := func(info PipelineInfo) bool { return info.Name == name }
	equal(f, slices.ContainsFunc(must(f.client.ListPipelines(f.ctx))(f), isOurs), true)
	f.ok(f.client.DeletePipeline(f.ctx, name))
	_, err = f.client.InspectPipeline(f.ctx, name)
	f.fails(NotFound, err)
	_, err = f.client.CreatePipeline(f.ctx, map[string]any{"pipelin": name})
	f.fails(InvalidArgument, err)
	equal(f, strings.Contains(err.Error(), "pipelin"), true)
}
