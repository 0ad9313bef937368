// Command pack makes the zip of a Lambda function: `pack ARCH BOOTSTRAP ZIP` reads an executable that is for arm64 or
// x86_64 and writes the zip, the same bytes for the same executable. With ../embedded/eyrie-lambda_arm64.zip and
// eyrie-lambda_amd64.zip made so, a build of eyrie has the function in it. It fails when the executable is for another
// processor.
package main

import (
	"fmt"
	"os"

	"github.com/eyrie-sec/eyrie/deploy/aws/code"
)

func main() {
	if err := pack(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: pack arm64|x86_64 BOOTSTRAP ZIP")
	}
	z, err := code.Read(args[1], code.Arch(args[0]))
	if err != nil {
		return err
	}
	return os.WriteFile(args[2], z.Bytes, 0o644)
}
