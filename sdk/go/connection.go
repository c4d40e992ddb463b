package mammoth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	tries      = 5
	firstDelay = 100 * time.Millisecond
)

// call is one request to the REST API.
type call struct {
	method string
	path   string // below /api/v1, escaped
	query  url.Values
	json   any
	body   *body
	header http.Header
}

// do sends a call and reads its JSON answer into result, unless that is nil.
func (c *Client) do(ctx context.Context, call call, result any) error {
	content, err := c.open(ctx, call)
	if err != nil {
		return err
	}
	defer content.Close()
	text, err := io.ReadAll(content)
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(text, result); err != nil {
		message := "Cannot read the answer of " + c.host + ": it is not JSON. Check that ADDRESS names a pachd"
		return &Error{Code: "internal", Message: message, Cause: err}
	}
	return nil
}

// open sends a call; its content must be closed. It is tried five times when it fails for want of a
// connection or an answer: the key makes all tries one.
func (c *Client) open(ctx context.Context, call call) (io.ReadCloser, error) {
	header := call.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	if call.method != http.MethodGet {
		var key [16]byte
		if _, err := rand.Read(key[:]); err != nil {
			return nil, err
		}
		header.Set("Idempotency-Key", hex.EncodeToString(key[:]))
	}
	if call.json != nil {
		text, err := json.Marshal(call.json)
		if err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
		sent := bodyOf(bytes.NewReader(text))
		call.body = &sent
	}
	call.header = header
	for failures := 1; ; failures++ {
		content, err := c.attempt(ctx, call)
		if err == nil || failures == tries || (call.body != nil && call.body.once) || !isPassing(err) {
			return content, err
		}
		delay := firstDelay << (failures - 1)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(delay - time.Duration(mathrand.Int63n(int64(delay/2)))):
		}
	}
}

func (c *Client) attempt(ctx context.Context, call call) (io.ReadCloser, error) {
	target := "http://" + c.host + "/api/v1" + call.path
	if len(call.query) > 0 {
		target += "?" + call.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.method, target, nil)
	if err != nil {
		return nil, err
	}
	request.Header = call.header
	if call.body != nil {
		source, err := call.body.open()
		if err != nil {
			return nil, err
		}
		sent := &sentBody{Reader: source, closed: make(chan struct{})}
		request.Body = sent
		if sized, hasLen := source.(interface{ Len() int }); hasLen {
			request.ContentLength = int64(sized.Len())
		}
		if !call.body.once {
			// The next try may read the same source.
			defer func() { <-sent.closed }()
		}
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	if answer.StatusCode < 400 {
		return &content{answer.Body, ctx, c}, nil
	}
	defer answer.Body.Close()
	return nil, errorOf(answer)
}

// failure says why there is no answer, or no whole one.
func (c *Client) failure(ctx context.Context, err error) error {
	var source sourceError
	var dialling *net.OpError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &source):
		return source.error
	case errors.As(err, &dialling) && dialling.Op == "dial":
		remedy := `Start it with "pachd", or set ADDRESS=host:port`
		message := fmt.Sprintf("Cannot reach pachd at %s: %v. %s", c.host, dialling.Err, remedy)
		return &Error{Code: Unavailable, Message: message, Cause: err}
	}
	remedy := "Check that pachd runs, then repeat the call"
	message := fmt.Sprintf("Lost the connection to pachd at %s before its answer was complete. %s", c.host, remedy)
	return &Error{Code: Unavailable, Message: message, Cause: err}
}

// content is the body of an answer; a connection that breaks in its middle is an *Error.
type content struct {
	io.ReadCloser
	ctx    context.Context
	client *Client
}

func (c *content) Read(slice []byte) (int, error) {
	n, err := c.ReadCloser.Read(slice)
	if err != nil && err != io.EOF {
		err = c.client.failure(c.ctx, err)
	}
	return n, err
}
