package stack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/eyrie-sec/eyrie/deploy/aws/template"
)

// prefix is where this stack's objects are in a bucket that other stacks, and other people, may use too.
func (w *worker) prefix() string { return "eyrie-lambda/" + w.StackName + "/" }

func (w *worker) bucket(r *region) string { return w.BucketPrefix + "-" + r.name }

func (w *worker) codeKey() string {
	return w.prefix() + w.Code.SHA256 + "-" + string(w.Code.Arch) + ".zip"
}

func (w *worker) templateKey() string {
	sum := sha256.Sum256([]byte(template.Eyrie()))
	return w.prefix() + hex.EncodeToString(sum[:]) + ".yaml"
}

// templateURL is the address of Eyrie's template in the home Region's bucket.
func (w *worker) templateURL() string {
	domain := "amazonaws.com"
	if w.partition == "aws-cn" {
		domain = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://%s-%s.s3.%s.%s/%s", w.BucketPrefix, w.HomeRegion, w.HomeRegion, domain, w.templateKey())
}

// upload puts the code, and for an organisation the template, into the Region's bucket, which it makes if need be. Every
// call names the account that must own the bucket, since anybody can have made a bucket of a name that can be guessed.
func (w *worker) upload(ctx context.Context, r *region) error {
	if err := w.makeBucket(ctx, r); err != nil {
		return err
	}
	if err := w.put(ctx, r, w.codeKey(), w.Code.Bytes); err != nil {
		return err
	}
	if len(w.Organization.Units) == 0 {
		return nil
	}
	if err := w.share(ctx, r); err != nil {
		return err
	}
	if r.name != w.HomeRegion {
		return nil
	}
	return w.put(ctx, r, w.templateKey(), []byte(template.Eyrie()))
}

func (w *worker) makeBucket(ctx context.Context, r *region) error {
	name := w.bucket(r)
	_, err := r.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: &w.account})
	switch code := errorCode(err); {
	case err == nil:
		return nil
	case code == "Forbidden" || code == "AccessDenied":
		return fmt.Errorf("bucket %s is not account %s's, or you may not see it: give another name with --bucket: %w", name, w.account, err)
	case code != "NotFound" && code != "NoSuchBucket":
		return fmt.Errorf("look for bucket %s: %w", name, err)
	}
	in := &s3.CreateBucketInput{Bucket: &name}
	if r.name != "us-east-1" { // the one Region that must not be named
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(r.name)}
	}
	if _, err := r.s3.CreateBucket(ctx, in); err != nil && errorCode(err) != "BucketAlreadyOwnedByYou" {
		return fmt.Errorf("make bucket %s for the code: %w", name, err)
	}
	_, err = r.s3.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &name, ExpectedBucketOwner: &w.account,
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(tagName), Value: &w.StackName}}}})
	if err != nil {
		// Without the tag, destroy would take it for somebody else's. It is empty; that it cannot be deleted changes nothing.
		_, _ = r.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name, ExpectedBucketOwner: &w.account})
		return fmt.Errorf("tag bucket %s: %w", name, err)
	}
	return nil
}

// put uploads an object unless it is there; its key holds its hash.
func (w *worker) put(ctx context.Context, r *region, key string, body []byte) error {
	name := w.bucket(r)
	head, err := r.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &name, Key: &key, ExpectedBucketOwner: &w.account})
	if err == nil && aws.ToInt64(head.ContentLength) == int64(len(body)) {
		return nil
	}
	sum := sha256.Sum256(body)
	_, err = r.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &name, Key: &key, ExpectedBucketOwner: &w.account,
		Body: bytes.NewReader(body), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:]))})
	if err != nil {
		return fmt.Errorf("put %s into bucket %s: %w", key, name, err)
	}
	w.out.say("%s  uploaded %s, %.1f MB", r.name, key, float64(len(body))/1e6)
	return nil
}

// share lets the organisation's accounts read what is below prefix.
func (w *worker) share(ctx context.Context, r *region) error {
	name := w.bucket(r)
	policy, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Sid": "EyrieCode", "Effect": "Allow", "Principal": map[string]string{"AWS": "*"}, "Action": "s3:GetObject",
			"Resource":  fmt.Sprintf("arn:%s:s3:::%s/%s*", w.partition, name, w.prefix()),
			"Condition": map[string]any{"StringEquals": map[string]string{"aws:PrincipalOrgID": w.Organization.ID}},
		}},
	})
	if err != nil {
		return err
	}
	_, err = r.s3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &name, ExpectedBucketOwner: &w.account, Policy: aws.String(string(policy))})
	if err != nil {
		return fmt.Errorf("let the organisation read bucket %s: %w", name, err)
	}
	return nil
}

// prune deletes Eyrie's objects in the Region's bucket but those named. Two codes are kept after an update: the one that
// runs, and the one before, which a rollback of the next update needs.
func (w *worker) prune(ctx context.Context, r *region, keep ...string) (left int, err error) {
	name := w.bucket(r)
	var gone []types.ObjectIdentifier
	pages := s3.NewListObjectsV2Paginator(r.s3, &s3.ListObjectsV2Input{Bucket: &name, ExpectedBucketOwner: &w.account})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("list bucket %s: %w", name, err)
		}
		for _, o := range page.Contents {
			if !strings.HasPrefix(aws.ToString(o.Key), w.prefix()) || slices.Contains(keep, aws.ToString(o.Key)) {
				left++
				continue
			}
			gone = append(gone, types.ObjectIdentifier{Key: o.Key})
		}
	}
	for part := range slices.Chunk(gone, 1000) { // DeleteObjects takes 1,000 keys (S3 API reference)
		out, err := r.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &name, ExpectedBucketOwner: &w.account, Delete: &types.Delete{Objects: part}})
		if err != nil {
			return left, fmt.Errorf("delete from bucket %s: %w", name, err)
		}
		for _, e := range out.Errors {
			return left, fmt.Errorf("delete %s from bucket %s: %s: %s", aws.ToString(e.Key), name, aws.ToString(e.Code), aws.ToString(e.Message))
		}
	}
	return left, nil
}

// removeBucket deletes Eyrie's objects, and the bucket if Eyrie made it and nothing else is in it. It says what is left.
func (w *worker) removeBucket(ctx context.Context, r *region) error {
	name := w.bucket(r)
	_, err := r.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name, ExpectedBucketOwner: &w.account})
	if code := errorCode(err); code == "NotFound" || code == "NoSuchBucket" || code == "Forbidden" {
		return nil // none, or one that cannot be ours
	}
	if err != nil {
		return fmt.Errorf("look for bucket %s: %w", name, err)
	}
	left, err := w.prune(ctx, r)
	if err != nil {
		return err
	}
	tags, err := r.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &name, ExpectedBucketOwner: &w.account})
	if err != nil && errorCode(err) != "NoSuchTagSet" {
		return fmt.Errorf("read the tags of bucket %s: %w", name, err)
	}
	ours := err == nil && slices.ContainsFunc(tags.TagSet, func(t types.Tag) bool { return aws.ToString(t.Key) == tagName })
	if !ours || left > 0 {
		w.out.say("%s  kept bucket %s, which holds %d objects of others", r.name, name, left)
		return nil
	}
	if _, err := r.s3.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &name, ExpectedBucketOwner: &w.account}); err != nil {
		return fmt.Errorf("delete bucket %s: %w", name, err)
	}
	w.out.say("%s  deleted bucket %s", r.name, name)
	return nil
}
