package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/eyrie-sec/eyrie/sensor/kernel"
)

// kernelParts loads the sensor's programs for a moment and tries each place that they listen at.
func kernelParts(context.Context, host) []Check {
	return hooks(kernel.Probe())
}

func hooks(hooks []kernel.Hook, err error) []Check {
	const area = "The sensor's programs"
	if err != nil {
		found, do := explain(err, "mend what is said above, or report this with the kernel's version")
		return []Check{problem(area, "load", found, do)}
	}
	checks := []Check{ok(area, "load", "the kernel takes them")}
	for _, h := range hooks {
		switch {
		case h.Err == nil:
			checks = append(checks, ok(area, h.Name, "can be listened at"))
		case h.Needed:
			found, do := explain(h.Err, "use a kernel with this tracepoint, or report this with the kernel's version")
			checks = append(checks, problem(area, h.Name, found, do))
		default:
			found, _ := explain(h.Err, "")
			checks = append(checks, note(area, h.Name, found, "events of this kind will be missing; the rest works"))
		}
	}
	return checks
}

// explain parts what is wrong from what to do, where the kernel package knows; the table has one line for each.
func explain(err error, do string) (found, what string) {
	var lack *kernel.Lack
	if errors.As(err, &lack) {
		found, do = lack.What, lack.Do
		if lack.Err != nil {
			found += " (" + lack.Err.Error() + ")"
		}
	} else {
		found = err.Error()
	}
	return strings.Join(strings.Fields(found), " "), do
}
