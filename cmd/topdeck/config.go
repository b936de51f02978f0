package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// systemConfig is read when --config names no other file; it need not exist.
const systemConfig = "/etc/topdeck/config.json"

// configFile gives flags of serve the values of a JSON object whose keys are the flags' names:
//
//	{"listen": "192.0.2.10:7373", "interval": "2s"}
//
// The command line wins over the environment, and the environment over the file. It is a kong.Resolver.
type configFile struct {
	path   string
	values map[string]any
}

// readConfig reads path, or the system's file when path is empty.
func readConfig(path string) (*configFile, error) {
	c := &configFile{path: path}
	if path == "" {
		c.path = systemConfig
	}
	text, err := os.ReadFile(c.path)
	if path == "" && errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&c.values); err != nil {
		return nil, fmt.Errorf("cannot read the configuration %s: it must be one JSON object such as {\"listen\": \"127.0.0.1:7373\"}: %w", c.path, err)
	}
	if _, err := decoder.Token(); err != io.EOF || c.values == nil {
		return nil, fmt.Errorf("cannot read the configuration %s: it must be one JSON object and nothing else", c.path)
	}
	return c, nil
}

// Validate refuses keys that are no flag of serve, and values that are not plain.
func (c *configFile) Validate(app *kong.Application) error {
	var known []string
	for _, command := range app.Children {
		if command.Name == "serve" {
			for _, flag := range command.Flags {
				if flag.Name != "config" {
					known = append(known, flag.Name)
				}
			}
		}
	}
	for key, value := range c.values {
		if !slices.Contains(known, key) {
			return fmt.Errorf("the configuration %s has an unknown key %q; known are %s", c.path, key, strings.Join(known, ", "))
		}
		switch value.(type) {
		case string, bool, json.Number:
		default:
			return fmt.Errorf("the configuration %s must give %q a string, a number, true or false", c.path, key)
		}
	}
	return nil
}

// Resolve tells kong the value of a flag of serve that neither the command line nor the environment gave.
func (c *configFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c.values[flag.Name]
	if !ok || parent.Command == nil || parent.Command.Name != "serve" {
		return nil, nil
	}
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return fmt.Sprint(value), nil
}
