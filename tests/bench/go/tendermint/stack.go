// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"fmt"
	"net"

	"github.com/tendermint/go-amino"
	tmcfg "github.com/tendermint/tendermint/config"
	tmcrypto "github.com/tendermint/tendermint/crypto"
	tmed25519 "github.com/tendermint/tendermint/crypto/ed25519"
	"github.com/tendermint/tendermint/libs/log"
	"github.com/tendermint/tendermint/p2p"
	"github.com/tendermint/tendermint/p2p/conn"
	"github.com/tendermint/tendermint/p2p/pex"
)

var cdc = amino.NewCodec()

func init() {
	cdc.RegisterInterface((*tmcrypto.PubKey)(nil), nil)
	cdc.RegisterConcrete(tmed25519.PubKeyEd25519{}, "tendermint/PubKeyEd25519", nil)
}

func keyOf(seed [32]byte) *p2p.NodeKey {
	var priv tmed25519.PrivKeyEd25519
	copy(priv[:], ed25519.NewKeyFromSeed(seed[:]))
	return &p2p.NodeKey{PrivKey: priv}
}

func newKey() *p2p.NodeKey { return &p2p.NodeKey{PrivKey: tmed25519.GenPrivKey()} }

func infoOf(key *p2p.NodeKey, laddr string) p2p.NodeInfo {
	return p2p.NodeInfo{
		ID:         key.ID(),
		ListenAddr: laddr,
		Network:    "bench",
		Version:    "0.22.8",
		Channels:   []byte{chBulk, chUrgent, chCtl},
		Moniker:    "anonymous",
		Other:      []string{"amino_version=0.10.1", "p2p_version=0.5.0"},
	}
}

// handshake is what the peer connection does with a new connection.
func handshake(c net.Conn, key *p2p.NodeKey) error {
	sc, err := conn.MakeSecretConnection(c, key.PrivKey)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := cdc.MarshalBinaryWriter(sc, infoOf(key, "127.0.0.1:26656"))
		sent <- err
	}()
	var theirs p2p.NodeInfo
	if _, err := cdc.UnmarshalBinaryReader(sc, &theirs, int64(p2p.MaxNodeInfoSize())); err != nil {
		return err
	}
	if err := theirs.Validate(); err != nil {
		return err
	}
	return <-sent
}

type peerLink struct{ peer p2p.Peer }

func (l peerLink) send(ch byte, m []byte) bool {
	for i := 0; i < 6; i++ { // one call gives up after 10 s
		if l.peer.Send(ch, m) {
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
			SendQueueCapacity: queueCap(), RecvMessageCapacity: sizeMax})
	}
	return out
}

func (r *reactor) AddPeer(p p2p.Peer) {
	switch {
	case args.serve && isHandshakes():
		onShaken()
	case !args.serve && !isHandshakes():
		onUp(peerLink{p}, r.want)
	}
}

func (r *reactor) RemovePeer(p p2p.Peer, reason interface{}) {
	if !args.serve && !isHandshakes() {
		die("connection lost: %v", reason)
	}
}

// Receive may run before AddPeer in this release, so the account is made on first use; all calls
// for one peer come from one goroutine.
func (r *reactor) Receive(ch byte, p p2p.Peer, m []byte) {
	l := peerLink{p}
	if !args.serve {
		onMessage(l, ch, m)
		return
	}
	account, ok := p.Get("bench").(*receiver)
	if !ok {
		account = &receiver{}
		p.Set("bench", account)
	}
	account.serve(l, ch, m)
}

func start(index, want int) (*p2p.Switch, *p2p.NodeKey, string) {
	side := byte(2)
	if args.serve {
		side = 1
	}
	key := keyOf([32]byte{byte(index), byte(index >> 8), side})
	cfg := tmcfg.DefaultP2PConfig()
	cfg.AllowDuplicateIP = true
	cfg.AddrBookStrict = false
	cfg.UPNP = false
	cfg.MaxNumPeers = 20000
	if !args.defaults {
		cfg.SendRate, cfg.RecvRate = 0, 0
	}
	sw := p2p.NewSwitch(cfg)
	sw.SetLogger(log.NewNopLogger())
	sw.SetNodeKey(key)
	sw.SetAddrBook(pex.NewAddrBook("", false))
	r := &reactor{want: want}
	r.BaseReactor = *p2p.NewBaseReactor("bench", r)
	sw.AddReactor("bench", r)
	laddr := "127.0.0.1:26656"
	if args.serve {
		probe, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			die("listen: %v", err)
		}
		laddr = probe.Addr().String()
		_ = probe.Close()
		sw.AddListener(p2p.NewDefaultListener("tcp://"+laddr, laddr, false, log.NewNopLogger()))
	}
	sw.SetNodeInfo(infoOf(key, laddr))
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
		if err := sw.DialPeerWithAddress(addr, false); err != nil {
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
		if err := sw.DialPeerWithAddress(addr, false); err != nil {
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
