// Package mammoth is a client for Mammoth, git for data with pipelines.
package mammoth

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options of New; nil stands for all defaults.
type Options struct {
	Address string       // host:port. Default: $ADDRESS, or 127.0.0.1:30650
	Token   string       // what a daemon with --token-file asks for. Default: what is in the file $PACH_TOKEN_FILE
	HTTP    *http.Client // Default: one that keeps up to 64 idle connections and uses no proxy
}

// Client calls one pachd; goroutines may share it. Every call ends early when its context does, and a
// failure that pachd reports is an *Error. A call whose answer is lost is sent again, up to five times,
// and carried out once; a put from a reader that cannot seek is sent once only.
type Client struct {
	host  string
	token string
	http  *http.Client
}

var addressForm = regexp.MustCompile(`^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]@?#]+)(?::(\d{1,5}))?$`)

// New makes a client. It connects when something is called.
func New(options *Options) (*Client, error) {
	given := Options{}
	if options != nil {
		given = *options
	}
	if given.Address == "" {
		given.Address = os.Getenv("ADDRESS")
	}
	if given.Address == "" {
		given.Address = "127.0.0.1:30650"
	}
	match := addressForm.FindStringSubmatch(strings.TrimSuffix(strings.TrimPrefix(given.Address, "http://"), "/"))
	if match == nil {
		return nil, wrongAddress(given.Address)
	}
	if match[2] == "" {
		match[2] = "30650"
	}
	if port, _ := strconv.Atoi(match[2]); port < 1 || port > 65535 {
		return nil, wrongAddress(given.Address)
	}
	if file := os.Getenv("PACH_TOKEN_FILE"); given.Token == "" && file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("Cannot read the token file: %w. Set PACH_TOKEN_FILE to the file that pachd was given", err)
		}
		given.Token = strings.TrimSpace(string(text))
	}
	if given.HTTP == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil
		transport.DisableCompression = true
		transport.MaxIdleConnsPerHost = 64
		transport.DialContext = dial
		given.HTTP = &http.Client{Transport: transport}
	}
	return &Client{match[1] + ":" + match[2], given.Token, given.HTTP}, nil
}

func wrongAddress(address string) error {
	message := fmt.Sprintf("Cannot use address %q. Set ADDRESS=host:port, such as 127.0.0.1:30650", address)
	return &Error{Code: InvalidArgument, Message: message}
}

// patientConn reports a failed write a moment late. When pachd refuses a body before its end, it answers
// and closes the connection, and net/http forgets the answer when it hears of the write first.
type patientConn struct{ net.Conn }

func (c patientConn) Write(slice []byte) (int, error) {
	n, err := c.Conn.Write(slice)
	if err != nil {
		time.Sleep(100 * time.Millisecond)
	}
	return n, err
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return patientConn{conn}, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version is the version of the daemon.
func (c *Client) Version(ctx context.Context) (string, error) {
	var answer struct{ Version string }
	err := c.do(ctx, call{method: "GET", path: "/version"}, &answer)
	return answer.Version, err
}

// CreateRepo makes a repo; provenance names the repos whose commits its commits will be made from.
func (c *Client) CreateRepo(ctx context.Context, name string, provenance ...string) (*RepoInfo, error) {
	json := map[string]any{"name": name, "provenance": orEmpty(provenance)}
	return result[RepoInfo](ctx, c, call{method: "POST", path: "/repos", json: json})
}

// InspectRepo looks at one repo.
func (c *Client) InspectRepo(ctx context.Context, name string) (*RepoInfo, error) {
	return result[RepoInfo](ctx, c, call{method: "GET", path: repoPath(name)})
}

// ListRepos gives all repos by name; with provenance, those made from all of the given ones.
func (c *Client) ListRepos(ctx context.Context, provenance ...string) ([]RepoInfo, error) {
	var answer struct{ Repos []RepoInfo }
	query := url.Values{"provenance": provenance}
	err := c.do(ctx, call{method: "GET", path: "/repos", query: query}, &answer)
	return answer.Repos, err
}

// DeleteRepo is refused when other repos are made from it, unless force is set.
func (c *Client) DeleteRepo(ctx context.Context, name string, force bool) error {
	query := url.Values{"force": {strconv.FormatBool(force)}}
	return c.do(ctx, call{method: "DELETE", path: repoPath(name), query: query}, nil)
}

// ListBranches gives the names of a repo's branches.
func (c *Client) ListBranches(ctx context.Context, repo string) ([]string, error) {
	var answer struct{ Branches []string }
	err := c.do(ctx, call{method: "GET", path: repoPath(repo) + "/branches"}, &answer)
	return answer.Branches, err
}

// result sends a call whose answer is one thing.
func result[T any](ctx context.Context, c *Client, call call) (*T, error) {
	value := new(T)
	if err := c.do(ctx, call, value); err != nil {
		return nil, err
	}
	return value, nil
}

func repoPath(name string) string { return "/repos/" + url.PathEscape(name) }

// orEmpty makes an absent list an empty one in JSON.
func orEmpty[T any](list []T) []T { return append([]T{}, list...) }
