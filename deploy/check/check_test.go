// Package check validates the Kubernetes manifests of this repository as an API server would: kustomize's own library
// builds every kustomization, each object is decoded strictly, given its defaults, and judged by Kubernetes' own validation.
// In come the files of the parent folder, nothing goes out. It is a module of its own, so that no other module of this
// repository has Kubernetes among its dependencies. deploy's tests run it.
package check

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/rbac"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	rbacvalidation "k8s.io/kubernetes/pkg/apis/rbac/validation"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// manifests returns the YAML of every kustomization below the parent folder, and of every file there that holds objects.
func manifests(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		switch {
		case d.Name() == "kustomization.yaml":
			dir := filepath.Dir(path)
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
			if err != nil {
				t.Errorf("%s: %v", dir, err)
				return nil
			}
			text, err := built.AsYaml()
			if err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			all[dir] = text
		case strings.HasPrefix(path, filepath.Join("..", "example")) && strings.HasSuffix(path, ".yaml"):
			all[path], err = os.ReadFile(path)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// check returns what an API server would say of every object in text, and how many objects there are.
func check(text []byte) (objects int, errs []error) {
	decoder := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict).UniversalDecoder()
	documents := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	buf := make([]byte, 1<<20)
	for {
		n, err := documents.Read(buf)
		if errors.Is(err, io.EOF) {
			return objects, errs
		}
		if err != nil {
			return objects, append(errs, err)
		}
		object, _, err := decoder.Decode(buf[:n], nil, nil)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects++
		for _, e := range validate(object) {
			errs = append(errs, e)
		}
	}
}

func validate(object runtime.Object) field.ErrorList {
	switch o := object.(type) {
	case *apps.DaemonSet:
		return appsvalidation.ValidateDaemonSet(o, podutil.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *apps.Deployment:
		return appsvalidation.ValidateDeployment(o, podutil.GetValidationOptionsFromPodTemplate(&o.Spec.Template, nil))
	case *core.ConfigMap:
		return corevalidation.ValidateConfigMap(o)
	case *core.Namespace:
		return corevalidation.ValidateNamespace(o)
	case *core.ServiceAccount:
		return corevalidation.ValidateServiceAccount(o)
	case *core.Service:
		o.Spec.ClusterIPs, o.Spec.IPFamilies = nil, nil // the API server's own choice
		return corevalidation.ValidateServiceCreate(o)
	case *rbac.Role:
		return rbacvalidation.ValidateRole(o)
	case *rbac.RoleBinding:
		return rbacvalidation.ValidateRoleBinding(o)
	}
	return field.ErrorList{field.InternalError(nil, errors.New("no validation for "+object.GetObjectKind().GroupVersionKind().String()+": add it"))}
}

func TestManifests(t *testing.T) {
	all := manifests(t)
	if len(all) < 5 {
		t.Errorf("%d sets of manifests, want 5 at least", len(all))
	}
	for name, text := range all {
		objects, errs := check(text)
		if objects == 0 {
			t.Errorf("%s holds no object", name)
		}
		for _, err := range errs {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d objects", name, objects)
	}
}

// TestMistakesAreFound: the validation sees what it is there for.
func TestMistakesAreFound(t *testing.T) {
	all := manifests(t)
	for name, change := range map[string][2]string{
		"unknown field":    {"hostNetwork: true", "hostNetwrk: true"},
		"wrong type":       {"hostNetwork: true", "hostNetwork: 1"},
		"no such volume":   {"- mountPath: /var/log\n          name: logs", "- mountPath: /var/log\n          name: lags"},
		"bad quantity":     {"cpu: 25m", "cpu: 25 m"},
		"labels differ":    {"matchLabels:\n      app.kubernetes.io/name: eyrie-agent", "matchLabels:\n      app.kubernetes.io/name: other"},
		"not an operator":  {"operator: Exists", "operator: Exist"},
		"no such protocol": {"dnsPolicy: ClusterFirstWithHostNet", "dnsPolicy: Cluster"},
	} {
		text := string(all[filepath.Join("..", "agent", "pod-identity")])
		changed := strings.Replace(text, change[0], change[1], 1)
		if changed == text {
			t.Errorf("%s: the manifest has no %q", name, change[0])
		} else if _, errs := check([]byte(changed)); len(errs) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
