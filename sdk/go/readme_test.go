package mammoth

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The program in the README is a module of its own that uses this one; it prints what the README says.
func TestReadme(t *testing.T) {
	f := setUp(t)
	text := string(must(os.ReadFile("README.md"))(f))
	block := func(language string) string {
		found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1)
		equal(f, len(found), 1)
		return found[0][1]
	}
	folder := t.TempDir()
	f.ok(os.WriteFile(filepath.Join(folder, "main.go"), []byte(block("go")), 0o600))
	here := must(filepath.Abs("."))(f)
	for _, args := range [][]string{
		{"mod", "init", "example"},
		{"mod", "edit", "-require=mammoth@v0.0.0", "-replace=mammoth=" + here},
		{"run", "."},
	} {
		command := exec.CommandContext(f.ctx, "go", args...)
		command.Dir = folder
		command.Stderr = os.Stderr
		printed := string(must(command.Output())(f))
		if args[0] == "run" {
			equal(f, printed, block("text"))
		}
	}
}

func TestSourcesAreFormatted(t *testing.T) {
	f := &fixture{T: t}
	equal(f, string(must(exec.Command("gofmt", "-l", ".").CombinedOutput())(f)), "")
}
