package container

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// rpcClient makes unary gRPC calls over HTTP/2 without TLS, which net/http speaks by itself: the module of gRPC would
// bring thirty times the code for the four methods that are called. The protocol is
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md; a message on the wire is
//
//	byte 0      1 if compressed; we offer no compression
//	bytes 1-4   length, big endian
//	            protobuf
type rpcClient struct {
	client *http.Client
}

const (
	codeNotFound      = 5 // google.rpc.Code
	codeUnimplemented = 12
)

var errUnimplemented = errors.New("the runtime does not have this method")

// call sends a message to a method, /PACKAGE.SERVICE/METHOD, and returns the answer's. Code NOT_FOUND is errMissing.
func (c *rpcClient) call(ctx context.Context, method string, message []byte, header ...string) ([]byte, error) {
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+method, bytes.NewReader(append(body, message...)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("call %s: HTTP status %d", method, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+5+1))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	if len(answer) > maxAnswer+5 {
		return nil, fmt.Errorf("call %s: the answer is longer than %d bytes", method, maxAnswer)
	}
	if err := rpcStatus(method, resp); err != nil {
		return nil, err
	}
	return unframe(method, answer)
}

func rpcStatus(method string, resp *http.Response) error {
	from := resp.Trailer
	if from.Get("Grpc-Status") == "" {
		from = resp.Header // an answer of nothing but trailers
	}
	code, err := strconv.Atoi(from.Get("Grpc-Status"))
	switch {
	case err != nil:
		return fmt.Errorf("call %s: no gRPC status in the answer", method)
	case code == 0:
		return nil
	case code == codeNotFound:
		return errMissing
	case code == codeUnimplemented:
		return fmt.Errorf("call %s: %w", method, errUnimplemented)
	}
	return fmt.Errorf("call %s: gRPC status %d: %.200q", method, code, from.Get("Grpc-Message"))
}

func unframe(method string, b []byte) ([]byte, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("call %s: answer of %d bytes", method, len(b))
	}
	if b[0] != 0 {
		return nil, fmt.Errorf("call %s: the answer is compressed, which was not asked for", method)
	}
	if n := binary.BigEndian.Uint32(b[1:5]); uint64(n) != uint64(len(b)-5) {
		return nil, fmt.Errorf("call %s: the answer says that it has %d bytes, it has %d", method, n, len(b)-5)
	}
	return b[5:], nil
}

// message reads a protobuf message: each field is given to f, with its bytes or its number, whichever its type has.
// Fixed-width fields and groups are skipped: none that is read has such a type. An error of f ends the reading.
func message(b []byte, f func(num protowire.Number, data []byte, n uint64) error) error {
	for len(b) > 0 {
		num, typ, k := protowire.ConsumeTag(b)
		if k < 0 {
			return protowire.ParseError(k)
		}
		b = b[k:]
		var err error
		switch typ {
		case protowire.BytesType:
			var data []byte
			if data, k = protowire.ConsumeBytes(b); k >= 0 {
				err = f(num, data, 0)
			}
		case protowire.VarintType:
			var n uint64
			if n, k = protowire.ConsumeVarint(b); k >= 0 {
				err = f(num, nil, n)
			}
		default:
			k = protowire.ConsumeFieldValue(num, typ, b)
		}
		if k < 0 {
			return protowire.ParseError(k)
		}
		if err != nil {
			return err
		}
		b = b[k:]
	}
	return nil
}

// texts reads a message whose fields are strings: into[num] gets field num.
func texts(b []byte, into map[protowire.Number]*string) error {
	return message(b, func(num protowire.Number, data []byte, _ uint64) error {
		if p := into[num]; p != nil && data != nil {
			*p = string(data)
		}
		return nil
	})
}

// entry adds one entry of a map<string, string> to m. Beyond maxItems nothing is added.
func entry(b []byte, m map[string]string) error {
	var k, v string
	if err := texts(b, map[protowire.Number]*string{1: &k, 2: &v}); err != nil {
		return err
	}
	if len(m) < maxItems {
		m[k] = v
	}
	return nil
}
