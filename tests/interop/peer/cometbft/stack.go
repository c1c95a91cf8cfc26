// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"sync"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/conn"
	"github.com/cometbft/cometbft/p2p/pex"
	"github.com/cometbft/cometbft/version"
)

const stackModule = "github.com/cometbft/cometbft"

type cmtStack struct {
	cfg       *config
	p2pCfg    *cmtcfg.P2PConfig
	key       *p2p.NodeKey
	transport *p2p.MultiplexTransport
	sw        *p2p.Switch
	book      pex.AddrBook

	mu   sync.Mutex
	live map[p2p.Peer]bool // added to the reactor and not removed since
}

func newStack(cfg *config) (stack, error) {
	priv := cmted25519.GenPrivKey()
	if cfg.keySeed != nil {
		priv = cmted25519.PrivKey(ed25519.NewKeyFromSeed(cfg.keySeed))
	}
	s := &cmtStack{cfg: cfg, key: &p2p.NodeKey{PrivKey: priv}, p2pCfg: cmtcfg.DefaultP2PConfig(),
		live: map[p2p.Peer]bool{}}
	s.p2pCfg.AllowDuplicateIP = cfg.allowDupIP
	s.p2pCfg.AddrBookStrict = false
	if cfg.flushMS >= 0 {
		s.p2pCfg.FlushThrottleTimeout = time.Duration(cfg.flushMS) * time.Millisecond
	}
	if cfg.rate >= 0 {
		s.p2pCfg.SendRate, s.p2pCfg.RecvRate = cfg.rate, cfg.rate
	}
	return s, nil
}

func (s *cmtStack) id() string { return string(s.key.ID()) }

func (s *cmtStack) nodeInfo() p2p.DefaultNodeInfo {
	pick := func(flag int64, own uint64) uint64 {
		if flag >= 0 {
			return uint64(flag)
		}
		return own
	}
	channels := append([]byte{}, s.cfg.channels...)
	if s.cfg.pex {
		channels = append(channels, pex.PexChannel)
	}
	return p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(pick(s.cfg.p2pVersion, version.P2PProtocol),
			pick(s.cfg.blockVersion, version.BlockProtocol), uint64(s.cfg.appVersion)),
		DefaultNodeID: s.key.ID(),
		ListenAddr:    "tcp://" + s.cfg.laddr,
		Network:       s.cfg.network,
		Version:       s.cfg.version,
		Channels:      channels,
		Moniker:       s.cfg.moniker,
		Other:         p2p.DefaultNodeInfoOther{TxIndex: "on"},
	}
}

func (s *cmtStack) start() error {
	logger := cmtLogger{}
	mconn := p2p.MConnConfig(s.p2pCfg)
	if s.cfg.pingMS >= 0 {
		mconn.PingInterval = time.Duration(s.cfg.pingMS) * time.Millisecond
	}
	if s.cfg.pongMS >= 0 {
		mconn.PongTimeout = time.Duration(s.cfg.pongMS) * time.Millisecond
	}
	info := s.nodeInfo()
	s.transport = p2p.NewMultiplexTransport(info, *s.key, mconn)
	p2p.MultiplexTransportMaxIncomingConnections(s.p2pCfg.MaxNumInboundPeers)(s.transport)
	if !s.cfg.allowDupIP {
		p2p.MultiplexTransportConnFilters(p2p.ConnDuplicateIPFilter())(s.transport)
	}

	s.sw = p2p.NewSwitch(s.p2pCfg, s.transport, p2p.SwitchPeerFilters(s.filterPeer))
	s.sw.SetLogger(logger)
	s.sw.SetNodeInfo(info)
	s.sw.SetNodeKey(s.key)

	r := &cmtReactor{stack: s}
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
	if s.cfg.pex {
		px := pex.NewReactor(s.book, &pex.ReactorConfig{SeedMode: s.cfg.seedMode, Seeds: s.cfg.seeds})
		px.SetLogger(logger)
		s.sw.AddReactor("PEX", px)
	}

	addr, err := p2p.NewNetAddressString(p2p.IDAddressString(s.key.ID(), s.cfg.laddr))
	if err != nil {
		return err
	}
	s.book.AddOurAddress(addr)
	if err := s.sw.AddPersistentPeers(s.cfg.persistent); err != nil {
		return err
	}
	if err := s.transport.Listen(*addr); err != nil {
		return err
	}
	return s.sw.Start()
}

func (s *cmtStack) filterPeer(_ p2p.IPeerSet, p p2p.Peer) error {
	for _, refused := range s.cfg.refuseIDs {
		if refused == string(p.ID()) {
			return fmt.Errorf("id %s is on the list of refused ones", p.ID())
		}
	}
	return nil
}

// stop saves the book: the reactor leaves that to a goroutine, which the end of the process may
// outrun.
func (s *cmtStack) stop() {
	_ = s.sw.Stop()
	_ = s.transport.Close()
	s.book.Save()
}

func (s *cmtStack) dial(text string, _ bool) error {
	addr, err := p2p.NewNetAddressString(text)
	if err != nil {
		return err
	}
	return s.sw.DialPeerWithAddress(addr)
}

// peer finds a peer also when the switch has lost it: of two connections that pass the duplicate
// check at the same moment, the second one's removal, which goes by ID, drops the first from the
// set while that one runs on.
func (s *cmtStack) peer(id string) (p2p.Peer, error) {
	// Get returns an interface that may hold a nil pointer, so ask Has first.
	if s.sw.Peers().Has(p2p.ID(id)) {
		if p := s.sw.Peers().Get(p2p.ID(id)); p != nil {
			return p, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.live {
		if string(p.ID()) == id && p.IsRunning() {
			return p, nil
		}
	}
	return nil, errNoPeer
}

func (s *cmtStack) send(id string, ch byte, body []byte, try bool) error {
	p, err := s.peer(id)
	if err != nil {
		return err
	}
	e := p2p.Envelope{ChannelID: ch, Message: &rawMessage{body: body}}
	ok := false
	if try {
		ok = p.TrySend(e)
	} else {
		ok = p.Send(e)
	}
	if !ok {
		return errNotQueued
	}
	return nil
}

func (s *cmtStack) peers() []string {
	var out []string
	for _, p := range listPeers(s.sw.Peers()) {
		out = append(out, string(p.ID()))
	}
	return out
}

func (s *cmtStack) running() int {
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

func (s *cmtStack) disconnect(id string) error {
	p, err := s.peer(id)
	if err != nil {
		return err
	}
	s.sw.StopPeerGracefully(p)
	return nil
}

// listPeers hides that the peer set has a List method in one release and a Copy in the next.
func listPeers(set p2p.IPeerSet) []p2p.Peer {
	switch v := any(set).(type) {
	case interface{ Copy() []p2p.Peer }:
		return v.Copy()
	case interface{ List() []p2p.Peer }:
		return v.List()
	}
	panic("the peer set can neither list nor copy")
}

// rawMessage passes bytes through the place where the stack marshals a protobuf message.
type rawMessage struct{ body []byte }

func (m *rawMessage) Reset()                   { m.body = nil }
func (m *rawMessage) String() string           { return fmt.Sprintf("%d bytes", len(m.body)) }
func (m *rawMessage) ProtoMessage()            {}
func (m *rawMessage) Marshal() ([]byte, error) { return append([]byte{}, m.body...), nil }
func (m *rawMessage) Unmarshal(b []byte) error { m.body = append([]byte{}, b...); return nil }

type cmtReactor struct {
	p2p.BaseReactor
	stack *cmtStack
	echo  *echoer
}

func (r *cmtReactor) GetChannels() []*conn.ChannelDescriptor {
	var out []*conn.ChannelDescriptor
	for _, ch := range r.stack.cfg.channels {
		out = append(out, &conn.ChannelDescriptor{
			ID:                  ch,
			Priority:            5,
			SendQueueCapacity:   sendQueueCapacity,
			RecvMessageCapacity: recvMessageCapacity,
			MessageType:         &rawMessage{},
		})
	}
	return out
}

func (r *cmtReactor) AddPeer(p p2p.Peer) {
	r.stack.mu.Lock()
	r.stack.live[p] = true
	r.stack.mu.Unlock()
	info := p.NodeInfo().(p2p.DefaultNodeInfo)
	emit("peer_added", kv{"id", string(p.ID())}, kv{"outbound", strconv.FormatBool(p.IsOutbound())},
		kv{"channels", fmt.Sprintf("%x", []byte(info.Channels))}, kv{"version", info.Version},
		kv{"network", info.Network}, kv{"moniker", info.Moniker}, kv{"laddr", info.ListenAddr},
		kv{"block", strconv.FormatUint(info.ProtocolVersion.Block, 10)},
		kv{"p2p", strconv.FormatUint(info.ProtocolVersion.P2P, 10)},
		kv{"app", strconv.FormatUint(info.ProtocolVersion.App, 10)})
}

func (r *cmtReactor) RemovePeer(p p2p.Peer, reason any) {
	r.stack.mu.Lock()
	delete(r.stack.live, p)
	r.stack.mu.Unlock()
	emitRemoved(string(p.ID()), reason)
}

func (r *cmtReactor) Receive(e p2p.Envelope) {
	body := e.Message.(*rawMessage).body
	emitMessage(string(e.Src.ID()), e.ChannelID, body)
	if r.echo != nil {
		r.echo.put(string(e.Src.ID()), e.ChannelID, body)
	}
}

type cmtLogger struct{ context []any }

func (l cmtLogger) Debug(msg string, kvs ...any) { logLine("debug", msg, l.context, kvs) }
func (l cmtLogger) Info(msg string, kvs ...any)  { logLine("info", msg, l.context, kvs) }
func (l cmtLogger) Warn(msg string, kvs ...any)  { logLine("warn", msg, l.context, kvs) }
func (l cmtLogger) Error(msg string, kvs ...any) { logLine("error", msg, l.context, kvs) }
func (l cmtLogger) With(kvs ...any) log.Logger {
	return cmtLogger{append(append([]any{}, l.context...), kvs...)}
}
