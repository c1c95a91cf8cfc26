// SPDX-License-Identifier: Apache-2.0

// A Go stack as a subject of the benchmark; arguments, messages and output are those of
// ../../common/bench.h.  The part on the API of one release family is stack.go.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"net"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	chBulk, chUrgent, chCtl = 0x20, 0x21, 0x22

	headerLen  = 16
	urgentSize = 200
	urgentGap  = 2 * time.Millisecond
	rttSize    = 100
	rttGap     = 2 * time.Millisecond
	sizeMax    = 4 << 20
	queueLen   = 1000
	ackWarm    = 1
	ackDone    = 2
)

type arguments struct {
	serve       bool
	row         string
	addrs       []string
	size        int
	warm, count uint64
	nodes       int
	defaults    bool
}

var (
	args    arguments
	pattern [sizeMax]byte
)

func die(format string, a ...interface{}) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", a...)
	os.Exit(1)
}

func parse() {
	if len(os.Args) < 2 || (os.Args[1] != "serve" && os.Args[1] != "run") {
		die("usage: %s serve|run [--flag value]...", os.Args[0])
	}
	args.serve = os.Args[1] == "serve"
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.StringVar(&args.row, "row", "bulk", "")
	_ = f.String("profile", "", "")
	addr := f.String("addr", "", "")
	f.IntVar(&args.size, "size", 65536, "")
	f.Uint64Var(&args.warm, "warm", 0, "")
	f.Uint64Var(&args.count, "count", 0, "")
	f.IntVar(&args.nodes, "nodes", 1, "")
	defaults := f.Int("defaults", 0, "")
	_ = f.Parse(os.Args[2:])
	args.defaults = *defaults != 0
	if *addr != "" {
		args.addrs = strings.Split(*addr, ",")
	}
	x := uint64(0x9e3779b97f4a7c15)
	for i := range pattern {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		pattern[i] = byte(x >> 56)
	}
}

// queueCap keeps a queue to what the others may hold: 1000 messages or 8 MiB.
func queueCap() int {
	if n := (8 << 20) / args.size; n < queueLen {
		return n
	}
	return queueLen
}

func wallNS() uint64 { return uint64(time.Now().UnixNano()) }

func cpuNS() uint64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return uint64(u.Utime.Nano() + u.Stime.Nano())
}

// message makes the message with this number; the stack keeps it until it is sent, so each is new.
func message(size int, number uint64) []byte {
	m := make([]byte, size)
	copy(m, pattern[:size])
	binary.LittleEndian.PutUint64(m, number)
	binary.LittleEndian.PutUint64(m[8:], wallNS())
	return m
}

func check(m []byte, size int, number uint64) {
	if len(m) != size || binary.LittleEndian.Uint64(m) != number ||
		!bytes.Equal(m[headerLen:], pattern[headerLen:size]) {
		die("message %d of %d bytes arrived wrong (%d bytes)", number, size, len(m))
	}
}

func percentile(ns []uint64, percent float64) uint64 {
	if len(ns) == 0 {
		return 0
	}
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	at := int(math.Min(float64(len(ns))*percent/100, float64(len(ns)-1)))
	return ns[at]
}

// link is a connection that became a peer.
type link interface {
	send(ch byte, m []byte) bool // blocks while the queue is full
}

// receiver is the account of one connection; its channels are all served by one goroutine.
type receiver struct {
	got, urgentGot uint64
	cpuAtWarm      uint64
	urgent         []uint64
}

type ack struct{ Kind, Samples, P50, P99, P999, CPU uint64 }

func (a ack) bytes() []byte {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, a)
	return b.Bytes()
}

func (r *receiver) serve(l link, ch byte, m []byte) {
	switch {
	case ch == chUrgent && args.row == "rtt":
		check(m, rttSize, r.got)
		r.got++
		if !l.send(ch, append([]byte{}, m...)) {
			die("echo was not sent")
		}
	case ch == chUrgent:
		now, sent := wallNS(), binary.LittleEndian.Uint64(m[8:])
		check(m, urgentSize, r.urgentGot)
		r.urgentGot++
		if now < sent {
			now = sent
		}
		r.urgent = append(r.urgent, now-sent)
	case args.row == "idle":
		check(m, args.size, 0)
		if !l.send(ch, append([]byte{}, m...)) {
			die("echo was not sent")
		}
	default:
		check(m, args.size, r.got)
		r.got++
		var a ack
		if r.got == args.warm {
			r.cpuAtWarm = cpuNS()
			a.Kind = ackWarm
		}
		if r.got == args.warm+args.count {
			a = ack{ackDone, uint64(len(r.urgent)), percentile(r.urgent, 50),
				percentile(r.urgent, 99), percentile(r.urgent, 99.9), cpuNS() - r.cpuAtWarm}
		}
		if a.Kind != 0 && !l.send(chCtl, a.bytes()) {
			die("acknowledgement was not sent")
		}
	}
}

// ---- run

var (
	upMu    sync.Mutex
	ups     []link
	upAll   = make(chan struct{})
	acks    = make(chan ack, 4096)
	echoes  = make(chan uint64, 1)
	touched atomic.Int64
	trip    uint64
)

// onUp is called by the stack when a dialed connection is a peer.
func onUp(l link, want int) {
	upMu.Lock()
	defer upMu.Unlock()
	ups = append(ups, l)
	if len(ups) == want {
		close(upAll)
	}
}

func onMessage(l link, ch byte, m []byte) {
	switch {
	case ch == chCtl:
		var a ack
		if err := binary.Read(bytes.NewReader(m), binary.LittleEndian, &a); err != nil {
			die("acknowledgement: %v", err)
		}
		acks <- a
	case ch == chUrgent:
		check(m, rttSize, trip)
		echoes <- wallNS() - binary.LittleEndian.Uint64(m[8:])
	default:
		check(m, args.size, 0)
		if touched.Add(1) == int64(args.nodes) {
			fmt.Println("touched")
		}
	}
}

func awaitAcks(kind uint64) (last ack) {
	for range ups {
		last = <-acks
		if last.Kind != kind {
			die("acknowledgement of kind %d", last.Kind)
		}
	}
	return last
}

// sendAll gives message after message to all peers, each peer's in a goroutine of its own as the
// switch's broadcast does, and waits for all before the next.
func sendAll(from, to uint64) {
	for i := from; i < to; i++ {
		m := message(args.size, i)
		if len(ups) == 1 {
			if !ups[0].send(chBulk, m) {
				die("message %d was not sent", i)
			}
			continue
		}
		var wg sync.WaitGroup
		for _, l := range ups {
			wg.Add(1)
			go func(l link) {
				if !l.send(chBulk, m) {
					die("message %d was not sent", i)
				}
				wg.Done()
			}(l)
		}
		wg.Wait()
	}
}

func runUrgent(stop chan struct{}, done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(urgentGap)
	defer tick.Stop()
	for n := uint64(0); ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
			if !ups[0].send(chUrgent, message(urgentSize, n)) {
				die("urgent message %d was not sent", n)
			}
		}
	}
}

func runBulk() {
	sendAll(0, args.warm)
	awaitAcks(ackWarm)
	start, cpu := time.Now(), cpuNS()
	stop, stopped := make(chan struct{}), make(chan struct{})
	if args.row == "urgent" {
		go runUrgent(stop, stopped)
	}
	sendAll(args.warm, args.warm+args.count)
	if args.row == "urgent" {
		close(stop)
		<-stopped
	}
	a := awaitAcks(ackDone)
	n := uint64(len(ups))
	fmt.Printf("result elapsed_ns=%d bytes=%d messages=%d cpu_ns=%d peer_cpu_ns=%d samples=%d "+
		"p50_ns=%d p99_ns=%d p999_ns=%d\n", time.Since(start).Nanoseconds(),
		args.count*uint64(args.size)*n, args.count*n, cpuNS()-cpu, a.CPU, a.Samples, a.P50, a.P99,
		a.P999)
}

func runTrips() {
	var ns []uint64
	for trip = 0; trip < args.count; trip++ {
		if !ups[0].send(chUrgent, message(rttSize, trip)) {
			die("round trip %d was not sent", trip)
		}
		ns = append(ns, <-echoes)
		time.Sleep(rttGap)
	}
	fmt.Printf("result messages=%d p50_ns=%d p99_ns=%d\n", len(ns), percentile(ns, 50),
		percentile(ns, 99))
}

func runIdle() {
	fmt.Println("connected")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		for _, l := range ups {
			if !l.send(chBulk, message(args.size, 0)) {
				die("touch was not sent")
			}
		}
	}
}

// Handshakes, args.nodes at a time.  In the row "handshakes" they are complete: a switch dials, the
// connection becomes a peer of both switches and their reactors, and is stopped.  In the row
// "handshakes-bare" they are the secret connection and NodeInfo, without a switch.

const bareRow = "handshakes-bare"

func isHandshakes() bool { return args.row == "handshakes" || args.row == bareRow }

var shaken atomic.Int64

// onShaken is called by the serving side for each handshake that is complete.
func onShaken() {
	if shaken.Add(1) == int64(args.count) {
		fmt.Println("done")
	}
}

func serveBare() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		die("listen: %v", err)
	}
	key := newKey()
	fmt.Printf("ready %s\n", ln.Addr())
	for {
		c, err := ln.Accept()
		if err != nil {
			die("accept: %v", err)
		}
		go func() {
			if err := handshake(c, key); err != nil {
				die("handshake: %v", err)
			}
			onShaken()
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}()
	}
}

// bareDialer makes handshakes with one key.
func bareDialer() func() error {
	key := newKey()
	return func() error {
		c, err := net.Dial("tcp", args.addrs[0])
		if err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
		return handshake(c, key)
	}
}

// A worker takes its nodes in turn, for a switch that has just seen a peer leave may not have
// forgotten its ID yet.
const nodesPerWorker = 8

func workerOf(index int) []func() error {
	if args.row == bareRow {
		return []func() error{bareDialer()}
	}
	var nodes []func() error
	for i := 0; i < nodesPerWorker; i++ {
		nodes = append(nodes, startDialer(index*nodesPerWorker+i))
	}
	return nodes
}

func runHandshakes() {
	var workers [][]func() error
	for i := 0; i < args.nodes; i++ {
		workers = append(workers, workerOf(i))
	}
	start := time.Now()
	var next atomic.Int64
	var wg sync.WaitGroup
	for _, nodes := range workers {
		wg.Add(1)
		go func(nodes []func() error) {
			defer wg.Done()
			for i := 0; next.Add(1) <= int64(args.count); i++ {
				if err := nodes[i%len(nodes)](); err != nil {
					die("handshake: %v", err)
				}
			}
		}(nodes)
	}
	wg.Wait()
	fmt.Printf("result elapsed_ns=%d messages=%d\n", time.Since(start).Nanoseconds(), args.count)
}

func main() {
	parse()
	if isHandshakes() && !args.serve {
		runHandshakes()
		return
	}
	if args.row == bareRow {
		go serveBare()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		}
		return
	}
	if args.serve {
		var addrs []string
		for i := 0; i < args.nodes; i++ {
			addrs = append(addrs, startServer(i))
		}
		fmt.Println("ready", strings.Join(addrs, ","))
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		}
		os.Exit(0)
	}
	want := len(args.addrs)
	if args.nodes > 1 {
		want = args.nodes
	}
	for i := 0; i < args.nodes; i++ {
		startClient(i, want)
	}
	<-upAll
	switch args.row {
	case "rtt":
		runTrips()
	case "idle":
		runIdle()
	default:
		runBulk()
	}
	os.Exit(0)
}
