// Package docs tests that what users see says what it is.
package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryExportedNameIsDocumented(t *testing.T) {
	root := filepath.Join("..", "..")
	packages, names := 0, 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if entry.Name() == "internal" {
			return filepath.SkipDir
		}
		c := checker{t: t, files: token.NewFileSet()}
		c.folder(path)
		if c.names > 0 {
			packages++
			names += c.names
			if !c.described {
				t.Errorf("%s: the package says nothing of itself", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages < 6 || names < 400 {
		t.Errorf("only %d names in %d packages: what has become of the others?", names, packages)
	}
}

// checker looks at one package.
type checker struct {
	t         *testing.T
	files     *token.FileSet
	names     int
	described bool
}

func (c *checker) folder(path string) {
	entries, err := os.ReadDir(path)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(c.files, filepath.Join(path, name), nil, parser.ParseComments)
		if err != nil {
			c.t.Fatal(err)
		}
		c.described = c.described || file.Doc != nil
		for _, declaration := range file.Decls {
			c.declaration(declaration)
		}
	}
}

func (c *checker) declaration(declaration ast.Decl) {
	switch d := declaration.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
			c.name(d.Name, d.Doc)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				c.name(spec.Name, spec.Doc, d.Doc)
				if spec.Name.IsExported() {
					c.members(spec.Type)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					// A text above a block speaks of all that is in it.
					c.name(name, spec.Doc, spec.Comment, d.Doc)
				}
			}
		}
	}
}

// members looks at the fields of a struct and at the methods of an interface.
func (c *checker) members(of ast.Expr) {
	var fields *ast.FieldList
	switch of := of.(type) {
	case *ast.StructType:
		fields = of.Fields
	case *ast.InterfaceType:
		fields = of.Methods
	default:
		return
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			c.name(name, field.Doc, field.Comment)
		}
	}
}

func (c *checker) name(name *ast.Ident, texts ...*ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	c.names++
	for _, text := range texts {
		if text != nil && strings.TrimSpace(text.Text()) != "" {
			return
		}
	}
	c.t.Errorf("%s: %s is not documented", c.files.Position(name.Pos()), name.Name)
}

// receiver is the name of a method's type.
func receiver(of ast.Expr) string {
	for {
		switch at := of.(type) {
		case *ast.StarExpr:
			of = at.X
		case *ast.IndexExpr:
			of = at.X
		case *ast.IndexListExpr:
			of = at.X
		case *ast.Ident:
			return at.Name
		default:
			return ""
		}
	}
}
