// SPDX-License-Identifier: Apache-2.0

// A peer for tests: the p2p stack of one Tendermint or CometBFT release with one test reactor on
// top.  It prints an event per line on standard output, takes a command per line on standard
// input, and writes its log to standard error.  The stack behind it is in stack.go, of which there
// is one per API family; everything in this folder is the same for all of them.
package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	recvMessageCapacity = 4 << 20
	sendQueueCapacity   = 100
	jobsPerSender       = 4096
	maxPayloadLen       = 64 << 20
)

type listFlag []string

func (l *listFlag) String() string     { return strings.Join(*l, ",") }
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

// config is what the command line says.  A number that is negative means "as the stack has it".
type config struct {
	laddr        string
	moniker      string
	network      string
	version      string
	blockVersion int64
	p2pVersion   int64
	appVersion   int64
	channels     []byte
	echo         bool
	keySeed      []byte
	dials        listFlag
	persistent   listFlag
	refuseIDs    listFlag
	seeds        listFlag
	allowDupIP   bool
	flushMS      int64
	pingMS       int64
	pongMS       int64
	rate         int64
	pex          bool
	seedMode     bool
	bookFile     string
}

// show is what to print instead of running.
type show int

const (
	showNothing show = iota
	showID
	showKeyFile
)

// stack is the part that differs between releases.  Each method may be called from any goroutine.
type stack interface {
	id() string
	start() error
	stop()
	dial(addr string, persistent bool) error
	// send returns an error that says why nothing was queued.
	send(peerID string, channel byte, payload []byte, try bool) error
	// peers lists the IDs in the switch's peer set.
	peers() []string
	// running counts the peers whose connection runs, in the set or not: a switch can lose one
	// from its set and go on talking to it.
	running() int
	disconnect(id string) error
}

var errNoPeer = errors.New("no such peer")
var errNotQueued = errors.New("the stack refused to queue it")

func main() {
	cfg, show := parseFlags()
	s, err := newStack(cfg)
	if err != nil {
		fail(err)
	}
	if show != showNothing {
		showKey(cfg, s, show)
		return
	}
	if err := s.start(); err != nil {
		fail(err)
	}
	emit("ready", kv{"id", s.id()}, kv{"addr", cfg.laddr}, kv{"version", cfg.version})

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		finish(s)
	}()

	for _, addr := range cfg.dials {
		go dialAndTell(s, addr, false)
	}
	for _, addr := range cfg.persistent {
		go dialAndTell(s, addr, true)
	}
	readCommands(s)
	select {} // the end of standard input ends nothing: a test may have closed it
}

func finish(s stack) {
	done := make(chan struct{})
	go func() {
		s.stop()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
	}
	emit("stopped")
	os.Exit(0)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

// showKey prints the ID, or what a node_key.json with this key holds.
func showKey(cfg *config, s stack, what show) {
	if what == showID {
		fmt.Println(s.id())
		return
	}
	if cfg.keySeed == nil {
		fail(errors.New("--show-key needs --key-seed"))
	}
	value := base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(cfg.keySeed))
	fmt.Printf(`{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"%s"}}`, value)
}

func parseFlags() (*config, show) {
	cfg := &config{}
	var channels, keySeed string
	var wantID, wantKey bool
	flag.StringVar(&cfg.laddr, "laddr", "127.0.0.1:0", "listen on `host:port`, 0 is a free one")
	flag.StringVar(&cfg.moniker, "moniker", "peer", "moniker of NodeInfo")
	flag.StringVar(&cfg.network, "network", "test", "network of NodeInfo")
	flag.StringVar(&cfg.version, "version", "", "version of NodeInfo (default: the release)")
	flag.Int64Var(&cfg.blockVersion, "block-version", -1, "block protocol version (cometbft)")
	flag.Int64Var(&cfg.p2pVersion, "p2p-version", -1, "p2p protocol version (cometbft)")
	flag.Int64Var(&cfg.appVersion, "app-version", 0, "app version (cometbft)")
	flag.StringVar(&channels, "channels", "20,21,80,ff", "channels of the test reactor, in hex")
	flag.BoolVar(&cfg.echo, "echo", false, "send every message back on its channel")
	flag.StringVar(&keySeed, "key-seed", "", "Ed25519 seed of the node key, 64 hex digits")
	flag.Var(&cfg.dials, "dial", "dial `ID@host:port` at start; may be repeated")
	flag.Var(&cfg.persistent, "persistent", "as --dial, and for ever; `ID@host:port`")
	flag.Var(&cfg.refuseIDs, "refuse-id", "refuse a peer with this `ID`; may be repeated")
	flag.Var(&cfg.seeds, "seed", "seed `ID@host:port` of the PEX reactor; may be repeated")
	flag.BoolVar(&cfg.allowDupIP, "allow-dup-ip", true, "allow several peers of one IP")
	flag.Int64Var(&cfg.flushMS, "flush-ms", -1, "flush throttle in milliseconds")
	flag.Int64Var(&cfg.pingMS, "ping-ms", -1, "ping interval in milliseconds (cometbft)")
	flag.Int64Var(&cfg.pongMS, "pong-ms", -1, "pong time-out in milliseconds (cometbft)")
	flag.Int64Var(&cfg.rate, "rate", -1, "send and receive rate in bytes per second, 0 is no limit")
	flag.BoolVar(&cfg.pex, "pex", false, "run the PEX reactor on channel 00")
	flag.BoolVar(&cfg.seedMode, "seed-mode", false, "run the PEX reactor as a seed")
	flag.StringVar(&cfg.bookFile, "addr-book", "", "address book file (default: a temporary one)")
	flag.BoolVar(&wantID, "show-id", false, "print the node ID and exit")
	flag.BoolVar(&wantKey, "show-key", false, "print node_key.json and exit")
	flag.Parse()

	if flag.NArg() != 0 {
		fail(fmt.Errorf("unexpected argument %q", flag.Arg(0)))
	}
	var err error
	if cfg.channels, err = parseChannels(channels); err != nil {
		fail(err)
	}
	if keySeed != "" {
		if cfg.keySeed, err = hex.DecodeString(keySeed); err != nil || len(cfg.keySeed) != 32 {
			fail(errors.New("--key-seed must be 64 hex digits"))
		}
	}
	if cfg.version == "" {
		cfg.version = releaseVersion()
	}
	if cfg.bookFile == "" && !wantID && !wantKey {
		dir, err := os.MkdirTemp("", "sy-peer-")
		if err != nil {
			fail(err)
		}
		cfg.bookFile = dir + "/addrbook.json"
	}
	switch {
	case wantID:
		return cfg, showID
	case wantKey:
		return cfg, showKeyFile
	}
	if cfg.laddr, err = choosePort(cfg.laddr); err != nil {
		fail(err)
	}
	return cfg, showNothing
}

func parseChannels(text string) ([]byte, error) {
	var out []byte
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		ch, err := parseChannel(part)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

func parseChannel(text string) (byte, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 8)
	if err != nil {
		return 0, fmt.Errorf("channel %q is not a hex byte", text)
	}
	return byte(n), nil
}

// choosePort replaces port 0: neither stack tells which port it was given, and NodeInfo must
// name it before the listener exists.
func choosePort(laddr string) (string, error) {
	laddr = strings.TrimPrefix(laddr, "tcp://")
	_, port, err := net.SplitHostPort(laddr)
	if err != nil || port != "0" {
		return laddr, err
	}
	l, err := net.Listen("tcp", laddr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func releaseVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		fail(errors.New("no build information in the program"))
	}
	for _, dep := range info.Deps {
		if dep.Path == stackModule {
			return strings.TrimPrefix(dep.Version, "v")
		}
	}
	fail(fmt.Errorf("%s is not among the modules of this program", stackModule))
	return ""
}

func dialAndTell(s stack, addr string, persistent bool) {
	if err := s.dial(addr, persistent); err != nil {
		emit("dial_failed", kv{"addr", addr}, kv{"error", err.Error()})
		return
	}
	emit("dial_ok", kv{"addr", addr})
}

func readCommands(s stack) {
	out := &senders{stack: s, queues: map[string]chan job{}}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 {
			continue
		}
		if err := runCommand(s, out, fields[0], fields[1:]); err != nil {
			emit("command_failed", kv{"command", in.Text()}, kv{"error", err.Error()})
		}
	}
}

func runCommand(s stack, out *senders, name string, args []string) error {
	switch {
	case name == "dial" && len(args) == 1:
		go dialAndTell(s, args[0], false)
	case (name == "send" || name == "trysend") && (len(args) == 4 || len(args) == 5):
		return out.queue(args, name == "trysend")
	case name == "peers" && len(args) == 0:
		emitPeers(s)
	case name == "disconnect" && len(args) == 1:
		return s.disconnect(args[0])
	case name == "quit" && len(args) == 0:
		finish(s)
	default:
		return errors.New("unknown command or wrong number of arguments")
	}
	return nil
}

func emitPeers(s stack) {
	ids := s.peers()
	emit("peers", kv{"n", strconv.Itoa(len(ids))}, kv{"ids", strings.Join(ids, ",")},
		kv{"running", strconv.Itoa(s.running())})
}

// senders has one goroutine per peer and channel, so that what a test sends on one channel stays
// in order, and a channel whose queue is full delays no other.
type senders struct {
	stack  stack
	mu     sync.Mutex
	queues map[string]chan job
}

type job struct {
	peer   string
	ch     byte
	length int
	seed   uint64
	try    bool
}

// queue takes PEER|* CHANNEL LENGTH SEED [COUNT]; with a count, the seed grows by one per message.
func (s *senders) queue(args []string, try bool) error {
	ch, err := parseChannel(args[1])
	if err != nil {
		return err
	}
	length, err := strconv.Atoi(args[2])
	if err != nil || length < 0 || length > maxPayloadLen {
		return errors.New("bad length")
	}
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	count := uint64(1)
	if len(args) == 5 {
		if count, err = strconv.ParseUint(args[4], 10, 32); err != nil {
			return err
		}
	}

	targets := []string{args[0]}
	if args[0] == "*" {
		targets = s.stack.peers()
		if len(targets) == 0 {
			return errNoPeer
		}
	}
	for _, target := range targets {
		for i := uint64(0); i < count; i++ {
			s.put(job{target, ch, length, seed + i, try})
		}
	}
	return nil
}

func (s *senders) put(j job) {
	key := fmt.Sprintf("%s/%02x", j.peer, j.ch)
	s.mu.Lock()
	q, ok := s.queues[key]
	if !ok {
		q = make(chan job, jobsPerSender)
		s.queues[key] = q
		go func() {
			for j := range q {
				s.run(j)
			}
		}()
	}
	s.mu.Unlock()
	q <- j
}

func (s *senders) run(j job) {
	body := payload(j.seed, j.length)
	what := []kv{{"id", j.peer}, {"ch", fmt.Sprintf("0x%02x", j.ch)},
		{"len", strconv.Itoa(j.length)}, {"sha256", digest(body)}}
	if err := s.stack.send(j.peer, j.ch, body, j.try); err != nil {
		emit("send_failed", append(what, kv{"error", err.Error()})...)
		return
	}
	emit("sent", what...)
}

// payload makes the bytes that a seed and a length stand for: SHA-256 over seed and block number,
// both as 8 little-endian bytes, block after block.
func payload(seed uint64, length int) []byte {
	out := make([]byte, 0, length+sha256.Size)
	var in [16]byte
	put64(in[:8], seed)
	for block := uint64(0); len(out) < length; block++ {
		put64(in[8:], block)
		sum := sha256.Sum256(in[:])
		out = append(out, sum[:]...)
	}
	return out[:length]
}

func put64(b []byte, v uint64) {
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
