package mammoth

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"
)

// One call waits no longer than this; the loop around it ends with its context.
const waitSlice = 30 * time.Second

func waitQuery() url.Values {
	return url.Values{"waitMs": {strconv.FormatInt(waitSlice.Milliseconds(), 10)}}
}

// StartCommit opens a child of a branch, which need not exist yet, or of branch/N.
func (c *Client) StartCommit(ctx context.Context, repo, parent string, provenance ...Commit) (*CommitInfo, error) {
	json := map[string]any{"parent": parent, "provenance": orEmpty(provenance)}
	return result[CommitInfo](ctx, c, call{method: "POST", path: repoPath(repo) + "/commits", json: json})
}

// FinishCommit waits until the parent is finished.
func (c *Client) FinishCommit(ctx context.Context, commit Commit) (*CommitInfo, error) {
	for {
		info, err := result[CommitInfo](ctx, c, call{method: "POST", path: commitPath(commit) + "/finish", query: waitQuery()})
		var failure *Error
		if !errors.As(err, &failure) || failure.Code != FailedPrecondition || failure.Details["waitingFor"] == nil {
			return info, err
		}
	}
}

// CancelCommit ends an open commit without its files.
func (c *Client) CancelCommit(ctx context.Context, commit Commit) (*CommitInfo, error) {
	return result[CommitInfo](ctx, c, call{method: "POST", path: commitPath(commit) + "/cancel"})
}

// InspectCommit looks at one commit.
func (c *Client) InspectCommit(ctx context.Context, commit Commit) (*CommitInfo, error) {
	return result[CommitInfo](ctx, c, call{method: "GET", path: commitPath(commit)})
}

// ListOptions of ListCommits. A Commit without ID stands for its whole repo.
type ListOptions struct {
	Include    []Commit // these and their ancestors. Default: everything
	Exclude    []Commit // leaves out these and their ancestors
	Provenance []Commit // only commits made from all of these
	Status     string   // NORMAL (the default), ARCHIVED, CANCELLED or ALL
	Block      bool     // when there is none, waits for the first one
}

// ListCommits gives commits per repo, oldest first.
func (c *Client) ListCommits(ctx context.Context, options *ListOptions) ([]CommitInfo, error) {
	query := url.Values{}
	if options != nil {
		query["include"] = texts(options.Include)
		query["exclude"] = texts(options.Exclude)
		query["provenance"] = texts(options.Provenance)
		query.Set("block", strconv.FormatBool(options.Block))
		if options.Status != "" {
			query.Set("status", options.Status)
		}
	}
	var answer struct{ Commits []CommitInfo }
	err := c.do(ctx, call{method: "GET", path: "/commits", query: query}, &answer)
	return answer.Commits, err
}

// FlushCommits waits until everything downstream of the commits is done, and gives them and what came of
// them. With toRepos only these repos, and what they are made from, are waited for.
func (c *Client) FlushCommits(ctx context.Context, commits []Commit, toRepos ...string) ([]CommitInfo, error) {
	json := map[string]any{
		"commits": orEmpty(commits), "toRepos": orEmpty(toRepos), "waitMs": waitSlice.Milliseconds(),
	}
	for {
		var answer struct {
			Done    bool
			Commits []CommitInfo
		}
		err := c.do(ctx, call{method: "POST", path: "/flush", json: json}, &answer)
		if err != nil || answer.Done {
			return answer.Commits, err
		}
	}
}

func commitPath(commit Commit) string {
	return repoPath(commit.Repo) + "/commits/" + url.PathEscape(commit.ID)
}

func texts(commits []Commit) []string {
	var texts []string
	for _, commit := range commits {
		if commit.ID == "" {
			texts = append(texts, commit.Repo)
		} else {
			texts = append(texts, commit.String())
		}
	}
	return texts
}
