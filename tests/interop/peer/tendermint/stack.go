// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"
	"sync"

	tmcfg "github.com/tendermint/tendermint/config"
	tmed25519 "github.com/tendermint/tendermint/crypto/ed25519"
	"github.com/tendermint/tendermint/libs/log"
	"github.com/tendermint/tendermint/p2p"
	"github.com/tendermint/tendermint/p2p/conn"
	"github.com/tendermint/tendermint/p2p/pex"
)

const stackModule = "github.com/tendermint/tendermint"

type tmStack struct {
	cfg      *config
	p2pCfg   *tmcfg.P2PConfig
	key      *p2p.NodeKey
	sw       *p2p.Switch
	book     pex.AddrBook
	listener p2p.Listener

	mu   sync.Mutex
	live map[p2p.Peer]bool // added to the reactor and not removed since
}

func newStack(cfg *config) (stack, error) {
	if cfg.pingMS >= 0 || cfg.pongMS >= 0 {
		return nil, errors.New("this release has fixed ping times")
	}
	if cfg.blockVersion >= 0 || cfg.p2pVersion >= 0 || cfg.appVersion != 0 {
		return nil, errors.New("this release has no protocol versions in NodeInfo")
	}
	priv := tmed25519.GenPrivKey()
	if cfg.keySeed != nil {
		copy(priv[:], ed25519.NewKeyFromSeed(cfg.keySeed))
	}
	s := &tmStack{cfg: cfg, key: &p2p.NodeKey{PrivKey: priv}, p2pCfg: tmcfg.DefaultP2PConfig(),
		live: map[p2p.Peer]bool{}}
	s.p2pCfg.AllowDuplicateIP = cfg.allowDupIP
	s.p2pCfg.AddrBookStrict = false
	s.p2pCfg.UPNP = false
	if cfg.flushMS >= 0 {
		s.p2pCfg.FlushThrottleTimeout = int(cfg.flushMS)
	}
	if cfg.rate >= 0 {
		s.p2pCfg.SendRate, s.p2pCfg.RecvRate = cfg.rate, cfg.rate
	}
	return s, nil
}

func (s *tmStack) id() string { return string(s.key.ID()) }

func (s *tmStack) start() error {
	logger := tmLogger{}
	s.sw = p2p.NewSwitch(s.p2pCfg)
	s.sw.SetLogger(logger)
	s.sw.SetNodeKey(s.key)

	r := &tmReactor{stack: s}
	r.BaseReactor = *p2p.NewBaseReactor("Test", r)
	r.SetLogger(logger)
	if s.cfg.echo {
		r.echo = newEchoer(func(id string, ch byte, body []byte) error {
			return s.send(id, ch, body, false)
		})
	}
	s.sw.AddReactor("TEST", r)

	// The switch asks the book when it meets itself, with or without PEX.
	s.book = pex.NewAddrBook(s.cfg.bookFile, false)
	s.book.SetLogger(logger)
	s.sw.SetAddrBook(s.book)
	channels := s.cfg.channels
	if s.cfg.pex {
		px := pex.NewPEXReactor(s.book, &pex.PEXReactorConfig{
			SeedMode: s.cfg.seedMode,
			Seeds:    s.cfg.seeds,
		})
		px.SetLogger(logger)
		s.sw.AddReactor("PEX", px)
		channels = append(append([]byte{}, channels...), pex.PexChannel)
	}

	s.sw.SetNodeInfo(p2p.NodeInfo{
		ID:         s.key.ID(),
		ListenAddr: s.cfg.laddr,
		Network:    s.cfg.network,
		Version:    s.cfg.version,
		Channels:   channels,
		Moniker:    s.cfg.moniker,
		Other:      []string{"amino_version=0.10.1", "p2p_version=0.5.0"},
	})
	s.sw.SetIDFilter(s.filterID)
	s.listener = p2p.NewDefaultListener("tcp://"+s.cfg.laddr, s.cfg.laddr, false, logger)
	s.sw.AddListener(s.listener)
	s.book.AddOurAddress(s.sw.NodeInfo().NetAddress())
	return s.sw.Start()
}

func (s *tmStack) filterID(id p2p.ID) error {
	for _, refused := range s.cfg.refuseIDs {
		if refused == string(id) {
			return fmt.Errorf("id %s is on the list of refused ones", id)
		}
	}
	return nil
}

// stop saves the book: the reactor leaves that to a goroutine, which the end of the process may outrun.
func (s *tmStack) stop() {
	_ = s.sw.Stop()
	s.book.Save()
}

func (s *tmStack) dial(text string, persistent bool) error {
	addr, err := p2p.NewNetAddressString(text)
	if err != nil {
		return err
	}
	return s.sw.DialPeerWithAddress(addr, persistent)
}

// peer finds a peer also when the switch has lost it: of two connections that pass the duplicate
// check at the same moment, the second one's removal, which goes by ID, drops the first from the
// set while that one runs on.
func (s *tmStack) peer(id string) p2p.Peer {
	if p := s.sw.Peers().Get(p2p.ID(id)); p != nil {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.live {
		if string(p.ID()) == id && p.IsRunning() {
			return p
		}
	}
	return nil
}

func (s *tmStack) send(id string, ch byte, body []byte, try bool) error {
	peer := s.peer(id)
	if peer == nil {
		return errNoPeer
	}
	ok := false
	if try {
		ok = peer.TrySend(ch, body)
	} else {
		ok = peer.Send(ch, body)
	}
	if !ok {
		return errNotQueued
	}
	return nil
}

func (s *tmStack) peers() []string {
	var out []string
	for _, p := range s.sw.Peers().List() {
		out = append(out, string(p.ID()))
	}
	return out
}

func (s *tmStack) running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for p := range s.live {
		if p.IsRunning() {
			n++
		}
	}
	return n
}

func (s *tmStack) disconnect(id string) error {
	peer := s.peer(id)
	if peer == nil {
		return errNoPeer
	}
	s.sw.StopPeerGracefully(peer)
	return nil
}

type tmReactor struct {
	p2p.BaseReactor
	stack *tmStack
	echo  *echoer
}

func (r *tmReactor) GetChannels() []*conn.ChannelDescriptor {
	var out []*conn.ChannelDescriptor
	for _, ch := range r.stack.cfg.channels {
		out = append(out, &conn.ChannelDescriptor{
			ID:                  ch,
			Priority:            5,
			SendQueueCapacity:   sendQueueCapacity,
			RecvMessageCapacity: recvMessageCapacity,
		})
	}
	return out
}

func (r *tmReactor) AddPeer(p p2p.Peer) {
	r.stack.mu.Lock()
	r.stack.live[p] = true
	r.stack.mu.Unlock()
	info := p.NodeInfo()
	emit("peer_added", kv{"id", string(p.ID())}, kv{"outbound", strconv.FormatBool(p.IsOutbound())},
		kv{"channels", fmt.Sprintf("%x", []byte(info.Channels))}, kv{"version", info.Version},
		kv{"network", info.Network}, kv{"moniker", info.Moniker}, kv{"laddr", info.ListenAddr})
}

func (r *tmReactor) RemovePeer(p p2p.Peer, reason interface{}) {
	r.stack.mu.Lock()
	delete(r.stack.live, p)
	r.stack.mu.Unlock()
	emitRemoved(string(p.ID()), reason)
}

func (r *tmReactor) Receive(ch byte, p p2p.Peer, body []byte) {
	emitMessage(string(p.ID()), ch, body)
	if r.echo != nil {
		r.echo.put(string(p.ID()), ch, append([]byte{}, body...))
	}
}

type tmLogger struct{ context []interface{} }

func (l tmLogger) Debug(msg string, kvs ...interface{}) { logLine("debug", msg, l.context, kvs) }
func (l tmLogger) Info(msg string, kvs ...interface{})  { logLine("info", msg, l.context, kvs) }
func (l tmLogger) Error(msg string, kvs ...interface{}) { logLine("error", msg, l.context, kvs) }
func (l tmLogger) With(kvs ...interface{}) log.Logger {
	return tmLogger{append(append([]interface{}{}, l.context...), kvs...)}
}
