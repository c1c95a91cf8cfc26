// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"fmt"
	"net"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/libs/protoio"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/p2p/conn"
	"github.com/cometbft/cometbft/p2p/pex"
	tmp2p "github.com/cometbft/cometbft/proto/tendermint/p2p"
	"github.com/cometbft/cometbft/version"
)

func keyOf(seed [32]byte) *p2p.NodeKey {
	return &p2p.NodeKey{PrivKey: cmted25519.PrivKey(ed25519.NewKeyFromSeed(seed[:]))}
}

func newKey() *p2p.NodeKey { return &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()} }

func infoOf(key *p2p.NodeKey, laddr string) p2p.DefaultNodeInfo {
	return p2p.DefaultNodeInfo{
		ProtocolVersion: p2p.NewProtocolVersion(version.P2PProtocol, version.BlockProtocol, 0),
		DefaultNodeID:   key.ID(),
		ListenAddr:      laddr,
		Network:         "bench",
		Version:         "0.38.0",
		Channels:        []byte{chBulk, chUrgent, chCtl},
		Moniker:         "anonymous",
		Other:           p2p.DefaultNodeInfoOther{TxIndex: "on"},
	}
}

// handshake is what the transport does with a new connection.
func handshake(c net.Conn, key *p2p.NodeKey) error {
	sc, err := conn.MakeSecretConnection(c, key.PrivKey)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		info := infoOf(key, "tcp://127.0.0.1:26656")
		_, err := protoio.NewDelimitedWriter(sc).WriteMsg(info.ToProto())
		sent <- err
	}()
	var theirs tmp2p.DefaultNodeInfo
	if _, err := protoio.NewDelimitedReader(sc, p2p.MaxNodeInfoSize()).ReadMsg(&theirs); err != nil {
		return err
	}
	info, err := p2p.DefaultNodeInfoFromToProto(&theirs)
	if err != nil {
		return err
	}
	if err := info.Validate(); err != nil {
		return err
	}
	return <-sent
}

// raw passes bytes through the place where the stack marshals a message.
type raw struct{ body []byte }

func (m *raw) Reset()                   { m.body = nil }
func (m *raw) String() string           { return fmt.Sprintf("%d bytes", len(m.body)) }
func (m *raw) ProtoMessage()            {}
func (m *raw) Marshal() ([]byte, error) { return m.body, nil }
func (m *raw) Unmarshal(b []byte) error { m.body = b; return nil }

type peerLink struct{ peer p2p.Peer }

func (l peerLink) send(ch byte, m []byte) bool {
	for i := 0; i < 6; i++ { // one call gives up after 10 s
		if l.peer.Send(p2p.Envelope{ChannelID: ch, Message: &raw{m}}) {
			return true
		}
		if !l.peer.IsRunning() {
			return false
		}
	}
	return false
}

type reactor struct {
	p2p.BaseReactor
	want int
}

func (r *reactor) GetChannels() []*conn.ChannelDescriptor {
	var out []*conn.ChannelDescriptor
	for id, priority := range map[byte]int{chBulk: 1, chUrgent: 10, chCtl: 5} {
		out = append(out, &conn.ChannelDescriptor{ID: id, Priority: priority,
			SendQueueCapacity: queueCap(), RecvMessageCapacity: sizeMax, MessageType: &raw{}})
	}
	return out
}

func (r *reactor) InitPeer(p p2p.Peer) p2p.Peer {
	p.Set("bench", &receiver{})
	return p
}

func (r *reactor) AddPeer(p p2p.Peer) {
	switch {
	case args.serve && isHandshakes():
		onShaken()
	case !args.serve && !isHandshakes():
		onUp(peerLink{p}, r.want)
	}
}

func (r *reactor) RemovePeer(p p2p.Peer, reason any) {
	if !args.serve && !isHandshakes() {
		die("connection lost: %v", reason)
	}
}

func (r *reactor) Receive(e p2p.Envelope) {
	l, m := peerLink{e.Src}, e.Message.(*raw).body
	if args.serve {
		e.Src.Get("bench").(*receiver).serve(l, e.ChannelID, m)
	} else {
		onMessage(l, e.ChannelID, m)
	}
}

func start(index, want int) (*p2p.Switch, *p2p.NodeKey, net.Addr) {
	side := byte(2)
	if args.serve {
		side = 1
	}
	key := keyOf([32]byte{byte(index), byte(index >> 8), side})
	cfg := cmtcfg.DefaultP2PConfig()
	cfg.AllowDuplicateIP = true
	cfg.AddrBookStrict = false
	cfg.MaxNumInboundPeers = 20000
	if !args.defaults {
		cfg.SendRate, cfg.RecvRate = 0, 0
	}
	// The port must be in NodeInfo before the transport listens.
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		die("listen: %v", err)
	}
	laddr := probe.Addr()
	_ = probe.Close()
	info := infoOf(key, "tcp://"+laddr.String())
	transport := p2p.NewMultiplexTransport(info, *key, p2p.MConnConfig(cfg))
	p2p.MultiplexTransportMaxIncomingConnections(20000)(transport)
	sw := p2p.NewSwitch(cfg, transport)
	sw.SetLogger(log.NewNopLogger())
	sw.SetNodeInfo(info)
	sw.SetNodeKey(key)
	sw.SetAddrBook(pex.NewAddrBook("", false))
	r := &reactor{want: want}
	r.BaseReactor = *p2p.NewBaseReactor("bench", r)
	sw.AddReactor("bench", r)
	addr, err := p2p.NewNetAddressString(p2p.IDAddressString(key.ID(), laddr.String()))
	if err != nil {
		die("address: %v", err)
	}
	if args.serve {
		if err := transport.Listen(*addr); err != nil {
			die("listen: %v", err)
		}
	}
	if err := sw.Start(); err != nil {
		die("start: %v", err)
	}
	return sw, key, laddr
}

func startServer(index int) string {
	_, key, laddr := start(index, 0)
	return fmt.Sprintf("%s@%s", key.ID(), laddr)
}

func startClient(index, want int) {
	sw, _, _ := start(index, want)
	for _, text := range args.addrs {
		addr, err := p2p.NewNetAddressString(text)
		if err != nil {
			die("address: %v", err)
		}
		if err := sw.DialPeerWithAddress(addr); err != nil {
			die("dial: %v", err)
		}
	}
}

// startDialer returns a function that dials once and stops the peer as soon as it is one.
func startDialer(index int) func() error {
	sw, _, _ := start(index, 0)
	addr, err := p2p.NewNetAddressString(args.addrs[0])
	if err != nil {
		die("address: %v", err)
	}
	return func() error {
		if err := sw.DialPeerWithAddress(addr); err != nil {
			return err
		}
		peer := sw.Peers().Get(addr.ID)
		if peer == nil {
			return fmt.Errorf("%v is no peer", addr)
		}
		sw.StopPeerGracefully(peer)
		return nil
	}
}
