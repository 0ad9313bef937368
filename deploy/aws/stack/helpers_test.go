package stack

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/eyrie-sec/eyrie/deploy/aws/awsfake"
	"github.com/eyrie-sec/eyrie/deploy/aws/code"
)

// screen is what a person sees, and his answers.
type screen struct {
	mu      sync.Mutex // guards text
	text    bytes.Buffer
	answer  bool
	asked   []string
	onceSay func(line string) // called with each line
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.text.Write(p)
	s.mu.Unlock()
	if s.onceSay != nil {
		s.onceSay(string(p))
	}
	return len(p), nil
}

func (s *screen) confirm(question string) (bool, error) {
	s.asked = append(s.asked, question)
	return s.answer, nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wants fails unless each of parts was said.
func (s *screen) wants(t *testing.T, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(s.String(), p) {
			t.Errorf("it does not say %q; it says:\n%s", p, s)
		}
	}
}

func executable(t testing.TB, machine elf.Machine, more string) *code.Zip {
	t.Helper()
	var h elf.Header64
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	h.Type, h.Machine, h.Version, h.Ehsize, h.Phentsize, h.Shentsize = uint16(elf.ET_EXEC), uint16(machine), 1, 64, 56, 64
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	b.WriteString(more)
	z, err := code.Parse(b.Bytes(), code.ARM64)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// options are those of a user of the fake, who agrees to everything.
func options(t testing.TB, fake *awsfake.Server, regions ...string) (Options, *screen) {
	t.Helper()
	s := &screen{answer: true}
	return Options{
		Config: aws.Config{
			Region: "us-east-1", BaseEndpoint: &fake.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
			Retryer: func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 8, time.Microsecond })
			},
		},
		Regions: regions, StackName: "eyrie", Version: "v1", Code: executable(t, elf.EM_AARCH64, "one"),
		Out: s, Confirm: s.confirm, Poll: time.Microsecond,
	}, s
}

// deployed is a fake in which Deploy went well.
func deployed(t *testing.T, regions ...string) *awsfake.Server {
	t.Helper()
	fake := awsfake.New(t)
	o, s := options(t, fake, regions...)
	if err := Deploy(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	return fake
}

// stackStatus is the status of the stack eyrie in each Region, "" for none.
func stackStatus(fake *awsfake.Server, regions ...string) map[string]string {
	got := map[string]string{}
	fake.Do(func() {
		for _, r := range regions {
			got[r] = ""
			if st := fake.In(r).Stack("eyrie"); st != nil {
				got[r] = st.Status
			}
		}
	})
	return got
}

func wantErr(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("error %v\nwant %q in it", err, p)
		}
	}
}
