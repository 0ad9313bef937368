package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/eyrie-sec/eyrie/simulate"
)

// hubClient asks a hub for findings by Security Hub's API: POST /findings is GetFindings.
type hubClient struct {
	url, region string
	key         aws.Credentials
	http        *http.Client
}

// newHubClient takes the first key of an AWS credentials file.
func newHubClient(url, region, file string) (*hubClient, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("the hub's key: %w", err)
	}
	defer f.Close()
	var key aws.Credentials
	for lines := bufio.NewScanner(io.LimitReader(f, 1<<20)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "aws_access_key_id":
			if key.AccessKeyID == "" {
				key.AccessKeyID = value
			}
		case "aws_secret_access_key":
			if key.SecretAccessKey == "" {
				key.SecretAccessKey = value
			}
		}
	}
	if !key.HasKeys() {
		return nil, fmt.Errorf("%s has no aws_access_key_id and aws_secret_access_key", file)
	}
	return &hubClient{strings.TrimRight(url, "/"), region, key, &http.Client{Timeout: 10 * time.Second}}, nil
}

// maxPages bounds how many findings one question fetches, 100 a page.
const maxPages = 20

// Since implements simulate.Findings.
func (h *hubClient) Since(ctx context.Context, t time.Time) ([]simulate.Finding, error) {
	type object = map[string]any
	request := object{"MaxResults": 100, "Filters": object{"LastObservedAt": []object{{
		"Start": t.UTC().Format("2006-01-02T15:04:05.000Z"), "End": "2999-01-01T00:00:00.000Z",
	}}}}
	var found []simulate.Finding
	for range maxPages {
		var answer struct {
			Findings []struct {
				ID             string `json:"Id"`
				LastObservedAt time.Time
				ProductFields  map[string]string
			}
			NextToken string
		}
		if err := h.call(ctx, request, &answer); err != nil {
			return nil, err
		}
		for _, f := range answer.Findings {
			found = append(found, simulate.Finding{ID: f.ID, Rule: f.ProductFields["eyrie/rule"], Command: f.ProductFields["falco/proc.cmdline"], Observed: f.LastObservedAt})
		}
		if answer.NextToken == "" {
			break
		}
		request["NextToken"] = answer.NextToken
	}
	return found, nil
}

func (h *hubClient) call(ctx context.Context, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+"/findings", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, h.key, req, hex.EncodeToString(sum[:]), "securityhub", h.region, time.Now()); err != nil {
		return err
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return fmt.Errorf("the hub at %s: %w", h.url, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("the hub at %s: %w", h.url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the hub at %s answers %s: %.300s", h.url, resp.Status, text)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return errors.Join(fmt.Errorf("the hub at %s answers with something else than findings", h.url), err)
	}
	return nil
}
