package container

import "strings"

// SplitImage takes the name of an image apart: HOST:PORT/REPOSITORY:TAG@DIGEST. As in Falco a name without tag and digest
// has the tag latest, and a name that is nothing but a digest has no repository.
func SplitImage(image string) (repository, tag, digest string) {
	if image == "" {
		return "", "", ""
	}
	if strings.HasPrefix(image, "sha256:") {
		return "", "", ""
	}
	repository, digest, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(repository, ':'); colon > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:colon], repository[colon+1:]
	}
	if tag == "" && digest == "" {
		tag = "latest"
	}
	return repository, tag, digest
}
