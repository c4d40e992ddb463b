package mammoth

import (
	"context"
	"io"
	"net/url"
	"strconv"
)

// CreatePipeline takes a PipelineSpec, or anything that is one as JSON, such as a json.RawMessage.
func (c *Client) CreatePipeline(ctx context.Context, spec any) (*PipelineInfo, error) {
	return result[PipelineInfo](ctx, c, call{method: "POST", path: "/pipelines", json: spec})
}

// InspectPipeline looks at one pipeline, and counts its jobs.
func (c *Client) InspectPipeline(ctx context.Context, name string) (*PipelineInfo, error) {
	return result[PipelineInfo](ctx, c, call{method: "GET", path: "/pipelines/" + url.PathEscape(name)})
}

// ListPipelines gives all pipelines.
func (c *Client) ListPipelines(ctx context.Context) ([]PipelineInfo, error) {
	var answer struct{ Pipelines []PipelineInfo }
	err := c.do(ctx, call{method: "GET", path: "/pipelines"}, &answer)
	return answer.Pipelines, err
}

// DeletePipeline leaves its output repo.
func (c *Client) DeletePipeline(ctx context.Context, name string) error {
	return c.do(ctx, call{method: "DELETE", path: "/pipelines/" + url.PathEscape(name)}, nil)
}

// ListJobs gives jobs, newest first: those of a pipeline, unless it is "", and with inputs those whose
// inputs are exactly these commits.
func (c *Client) ListJobs(ctx context.Context, pipeline string, inputs ...Commit) ([]JobInfo, error) {
	query := url.Values{"inputCommit": texts(inputs)}
	if pipeline != "" {
		query.Set("pipeline", pipeline)
	}
	var answer struct{ Jobs []JobInfo }
	err := c.do(ctx, call{method: "GET", path: "/jobs", query: query}, &answer)
	return answer.Jobs, err
}

// InspectJob looks at one job and its tasks.
func (c *Client) InspectJob(ctx context.Context, id string) (*JobInfo, error) {
	return result[JobInfo](ctx, c, call{method: "GET", path: jobPath(id)})
}

// WaitJob waits until a job has ended.
func (c *Client) WaitJob(ctx context.Context, id string) (*JobInfo, error) {
	for {
		job, err := result[JobInfo](ctx, c, call{method: "GET", path: jobPath(id), query: waitQuery()})
		if err != nil || job.HasEnded() {
			return job, err
		}
	}
}

// GetLogs gives what a job printed; with follow up to the end of the job. Close it.
func (c *Client) GetLogs(ctx context.Context, job string, follow bool) (io.ReadCloser, error) {
	query := url.Values{"follow": {strconv.FormatBool(follow)}}
	return c.open(ctx, call{method: "GET", path: jobPath(job) + "/logs", query: query})
}

func jobPath(id string) string { return "/jobs/" + url.PathEscape(id) }
