// Verify a published log with the Go project's own code (golang.org/x/mod/sumdb/note and tlog), which shares nothing
// with ours: the note, every hash tile against the signed root, every record against its hash, the proof of each
// record of a sample, and that every earlier checkpoint is a beginning of the newest.
//
// Usage: verifylog FOLDER VERIFIER-KEY
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// C2SP tlog-tiles and the Go checksum database have the same tiles of height 8; the latter names the height in the path.
const height = 8

type folder string

func (f folder) Height() int { return height }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		name := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		content, err := os.ReadFile(filepath.Join(string(f), name))
		if err != nil {
			return nil, err
		}
		found = append(found, content)
	}
	return found, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func open(path, key string) tlog.Tree {
	content, err := os.ReadFile(path)
	check(err)
	verifier, err := note.NewVerifier(key)
	check(err)
	opened, err := note.Open(content, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("%s is no checkpoint of %s", path, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree
}

func entries(dir string, size, index int64) [][]byte {
	width := size - index*256
	name := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		name = fmt.Sprintf("x%03d/%s", rest%1000, name)
	}
	if width < 256 {
		name += fmt.Sprintf(".p/%d", width)
	}
	content, err := os.ReadFile(filepath.Join(dir, "tile", "entries", name))
	check(err)
	var found [][]byte
	for len(content) > 0 {
		end := 2 + int(binary.BigEndian.Uint16(content))
		found = append(found, content[2:end])
		content = content[end:]
	}
	return found
}

func main() {
	dir, key := os.Args[1], os.Args[2]
	tree := open(filepath.Join(dir, "checkpoint"), key)
	reader := tlog.TileHashReader(tree, folder(dir))
	root, err := tlog.TreeHash(tree.N, reader)
	check(err)
	if root != tree.Hash {
		fail("the tiles do not lead to the signed root")
	}
	number := int64(0)
	for index := int64(0); index*256 < tree.N; index++ {
		for _, entry := range entries(dir, tree.N, index) {
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, number)})
			check(err)
			if hashes[0] != tlog.RecordHash(entry) {
				fail("record %d is not the one whose hash is in the tree", number)
			}
			if number%61 == 0 || number == tree.N-1 {
				proof, err := tlog.ProveRecord(tree.N, number, reader)
				check(err)
				check(tlog.CheckRecord(proof, tree.N, tree.Hash, number, tlog.RecordHash(entry)))
			}
			number++
		}
	}
	if number != tree.N {
		fail("%d records, but %d were signed for", number, tree.N)
	}
	past, err := filepath.Glob(filepath.Join(dir, "checkpoints", "[0-9]*"))
	check(err)
	for _, path := range past {
		old := open(path, key)
		proof, err := tlog.ProveTree(tree.N, old.N, reader)
		check(err)
		check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	}
	fmt.Printf("ok: %d records, %d checkpoints\n", tree.N, len(past))
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(form string, values ...any) {
	fmt.Fprintf(os.Stderr, form+"\n", values...)
	os.Exit(1)
}
