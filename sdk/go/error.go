package mammoth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Code is the kind of a failure, for programs; docs/reference/errors.md lists all of them. A Code is
// itself an error, so that errors.Is(err, mammoth.NotFound) works.
type Code string

// The codes that programs ask for most.
const (
	InvalidArgument    Code = "invalid_argument"
	Unauthenticated    Code = "unauthenticated"
	PermissionDenied   Code = "permission_denied"
	NotFound           Code = "not_found"
	AlreadyExists      Code = "already_exists"
	FailedPrecondition Code = "failed_precondition"
	Aborted            Code = "aborted"
	OutOfRange         Code = "out_of_range"
	Unavailable        Code = "unavailable"
	ResourceExhausted  Code = "resource_exhausted"
)

func (c Code) Error() string { return string(c) }

// Error is a call that failed. Its message names the action, the value and the remedy.
type Error struct {
	Code    Code           `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"` // facts, such as commit: "master/1"
	Cause   error          `json:"-"`
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives errors.Is the code and what is behind it.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Cause}
}

// isPassing tells whether the same call may succeed when it is sent again.
func isPassing(err error) bool {
	var failure *Error
	if !errors.As(err, &failure) {
		return false
	}
	// "pack": garbage collection took away what the call was about to rely on; it is stored again.
	_, pack := failure.Details["pack"]
	return failure.Code == Unavailable || (failure.Code == Aborted && pack)
}

// errorOf reads the failure that an answer of status 400 and above describes.
func errorOf(answer *http.Response) *Error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	var body struct{ Error *Error }
	if json.Unmarshal(text, &body) == nil && body.Error != nil && body.Error.Code != "" {
		return body.Error
	}
	// Not from pachd: something in between has answered.
	code := InvalidArgument
	if answer.StatusCode >= 500 {
		code = Unavailable
	} else if answer.StatusCode == http.StatusNotFound {
		code = NotFound
	}
	said := strings.TrimSpace(string(text[:min(len(text), 200)]))
	return &Error{Code: code, Message: fmt.Sprintf("pachd answered %s: %s", answer.Status, said)}
}
