// SPDX-License-Identifier: Apache-2.0

// An ABCI application on the socket server of one release: its kvstore example, in front of which
// peers may be refused.  Without --refuse-* it is the example as it is, which admits everyone.
//
//	abciapp --addr tcp://127.0.0.1:P|unix://PATH [--refuse-id ID] [--refuse-ip IP] [--panic-at TEXT]
//
// Events on standard output: "ready addr=", "query path= code=", "stopped".
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

const (
	addrPrefix = "/p2p/filter/addr/"
	idPrefix   = "/p2p/filter/id/"
)

var (
	refuseID = flag.String("refuse-id", "", "this ID is not wanted")
	refuseIP = flag.String("refuse-ip", "", "no peer with this IP address is wanted")
	panicAt  = flag.String("panic-at", "", "fails at a question that contains this")

	stdoutMu sync.Mutex
)

func emit(format string, args ...any) {
	stdoutMu.Lock()
	defer stdoutMu.Unlock()
	fmt.Printf(format+"\n", args...)
}

// judge says what this application thinks of a question: its code, and a text when it refuses.
func judge(path string) (code uint32, log string) {
	if *panicAt != "" && strings.Contains(path, *panicAt) {
		emit("query path=%s code=panic", path)
		panic("told to fail at " + path)
	}
	if *refuseID != "" && path == idPrefix+*refuseID {
		code, log = 7, "this ID is on our list"
	}
	if *refuseIP != "" && strings.HasPrefix(path, addrPrefix+*refuseIP+":") {
		code, log = 8, "no peers from there"
	}
	emit("query path=%s code=%d", path, code)
	return code, log
}

func main() {
	addr := flag.String("addr", "", "where to listen")
	flag.Parse()
	if err := serve(*addr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	emit("ready addr=%s", *addr)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	emit("stopped")
}
