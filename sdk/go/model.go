package mammoth

import (
	"strconv"
	"time"
)

// Time is UTC; the zero Time stands for what has not happened yet.
type Time struct{ time.Time }

// UnmarshalJSON reads microseconds since 1970.
func (t *Time) UnmarshalJSON(text []byte) error {
	micros, err := strconv.ParseInt(string(text), 10, 64)
	t.Time = time.UnixMicro(micros).UTC()
	return err
}

// Commit names a commit: a repo and branch/N, or a branch, which stands for its newest commit.
type Commit struct {
	Repo string `json:"repo"`
	ID   string `json:"id"`
}

func (c Commit) String() string { return c.Repo + "/" + c.ID }

// RepoInfo is a repo.
type RepoInfo struct {
	Name       string   `json:"name"`
	Created    Time     `json:"createdMicros"`
	SizeBytes  int64    `json:"sizeBytes"`  // what its finished commits added
	Provenance []string `json:"provenance"` // all repos it is made from
}

// CommitInfo is a commit.
type CommitInfo struct {
	Commit
	UID        string   `json:"uid"` // identity that no other commit ever has
	Branch     string   `json:"branch"`
	Parent     string   `json:"parent"`
	State      string   `json:"state"` // open, closing, finished or cancelled
	Archived   bool     `json:"archived"`
	Started    Time     `json:"startedMicros"`
	Finished   Time     `json:"finishedMicros"`
	SizeBytes  int64    `json:"sizeBytes"` // what this commit added
	Provenance []Commit `json:"provenance"`
}

// FileInfo is a file or directory at a commit.
type FileInfo struct {
	Path           string   `json:"path"` // without a leading slash; empty for the root
	Type           string   `json:"type"` // file or dir
	SizeBytes      int64    `json:"sizeBytes"`
	Modified       Time     `json:"modifiedMicros"`
	CommitModified Commit   `json:"commitModified"`
	Children       []string `json:"children"` // only of an inspection
	Digest         string   `json:"digest"`
}

// FileVersion is one side of a difference.
type FileVersion struct {
	SizeBytes int64  `json:"sizeBytes"`
	Digest    string `json:"digest"`
}

// FileDifference is a file that two commits differ in: nil Before, it was added; nil After, deleted.
type FileDifference struct {
	Path   string       `json:"path"`
	Before *FileVersion `json:"before"`
	After  *FileVersion `json:"after"`
}

// PipelineSpec is what a pipeline file holds. A spec read from such a file can be given instead.
type PipelineSpec struct {
	Pipeline        Named           `json:"pipeline"`
	Transform       Transform       `json:"transform"`
	ParallelismSpec map[string]any  `json:"parallelism_spec,omitempty"`
	Inputs          []PipelineInput `json:"inputs,omitempty"`
}

// Named is how a spec refers to a pipeline or a repo.
type Named struct {
	Name string `json:"name"`
}

// Transform is the user's program.
type Transform struct {
	Image            string            `json:"image,omitempty"`
	Cmd              []string          `json:"cmd"` // run as it is, without a shell
	Env              map[string]string `json:"env,omitempty"`
	Stdin            []string          `json:"stdin,omitempty"`
	AcceptReturnCode []int             `json:"acceptReturnCode,omitempty"`
}

// PipelineInput is a repo that a pipeline reads. Method: map (the default), reduce,
// incremental_reduce, global, or a pair such as file/incremental.
type PipelineInput struct {
	Repo     Named  `json:"repo"`
	Method   string `json:"method,omitempty"`
	RunEmpty bool   `json:"runEmpty,omitempty"`
}

// PipelineInfo is a pipeline.
type PipelineInfo struct {
	Name        string         `json:"name"`
	Version     int            `json:"version"`
	Transform   Transform      `json:"transform"`
	OutputRepo  string         `json:"outputRepo"`
	Created     Time           `json:"createdMicros"`
	State       string         `json:"state"` // idle, running, restarting, failure or stopped
	RecentError string         `json:"recentError"`
	JobCounts   map[string]int `json:"jobCounts"` // by state; only of an inspection
}

// JobInfo is a job.
type JobInfo struct {
	ID           string     `json:"id"`
	Pipeline     string     `json:"pipeline"`
	Transform    Transform  `json:"transform"`
	Inputs       []JobInput `json:"inputs"`
	ParentJob    string     `json:"parentJob"`
	Started      Time       `json:"startedMicros"`
	Finished     Time       `json:"finishedMicros"`
	OutputCommit *Commit    `json:"outputCommit"`
	State        string     `json:"state"` // creating, running, success, failure or empty
	Error        string     `json:"error"` // why it failed
	Tasks        []TaskInfo `json:"tasks"` // only of an inspection
}

// JobInput is a commit that a job reads.
type JobInput struct {
	Commit Commit `json:"commit"`
}

// TaskInfo is one run of a job's command.
type TaskInfo struct {
	Task  int    `json:"task"`
	State string `json:"state"` // unassigned, assigned, success or failure
}

// HasEnded tells whether a job is over.
func (j *JobInfo) HasEnded() bool {
	return j.State == "success" || j.State == "failure" || j.State == "empty"
}
