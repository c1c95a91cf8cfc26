// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type kv struct{ key, value string }

var stdoutMu sync.Mutex

// emit writes one event line at once: a word, then key=value pairs; a value that is not a plain
// word is quoted.
func emit(event string, pairs ...kv) {
	var b strings.Builder
	b.WriteString(event)
	for _, p := range pairs {
		b.WriteByte(' ')
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(word(p.value))
	}
	b.WriteByte('\n')
	stdoutMu.Lock()
	defer stdoutMu.Unlock()
	os.Stdout.WriteString(b.String())
}

func word(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return strconv.Quote(s)
		}
	}
	return s
}

func hexByte(b byte) string { return fmt.Sprintf("0x%02x", b) }

// echoer sends messages back.  A reactor must not block in Receive, and order within a channel
// must hold, so each peer and channel has a queue and a goroutine of its own.
type echoer struct {
	send   func(peerID string, ch byte, body []byte) error
	mu     sync.Mutex
	queues map[string]chan []byte
}

func newEchoer(send func(string, byte, []byte) error) *echoer {
	return &echoer{send: send, queues: map[string]chan []byte{}}
}

func (e *echoer) put(peerID string, ch byte, body []byte) {
	key := peerID + "/" + hexByte(ch)
	e.mu.Lock()
	q, ok := e.queues[key]
	if !ok {
		q = make(chan []byte, jobsPerSender)
		e.queues[key] = q
		go func() {
			for body := range q {
				if err := e.send(peerID, ch, body); err != nil {
					emit("echo_failed", kv{"id", peerID}, kv{"ch", hexByte(ch)},
						kv{"len", strconv.Itoa(len(body))}, kv{"error", err.Error()})
				}
			}
		}()
	}
	e.mu.Unlock()
	q <- body
}

func emitMessage(peerID string, ch byte, body []byte) {
	emit("message", kv{"id", peerID}, kv{"ch", hexByte(ch)},
		kv{"len", strconv.Itoa(len(body))}, kv{"sha256", digest(body)})
}

func emitRemoved(peerID string, reason any) {
	text := "none"
	if reason != nil {
		text = fmt.Sprint(reason)
	}
	emit("peer_removed", kv{"id", peerID}, kv{"reason", text})
}

// The switch tells nobody but its log that it refused an inbound connection, so these two lines
// of the log become events.
var refusalMessages = []string{"Inbound Peer rejected", "Ignoring inbound connection"}

func logLine(level, msg string, context, keyvals []any) {
	if level == "debug" {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", time.Now().Format("15:04:05.000"), level, msg)
	reason := ""
	all := append(append([]any{}, context...), keyvals...)
	for i := 0; i+1 < len(all); i += 2 {
		value := fmt.Sprint(all[i+1])
		fmt.Fprintf(&b, " %v=%s", all[i], word(value))
		if key := fmt.Sprint(all[i]); key == "err" || (key == "max" && reason == "") {
			reason = key + " " + value
		}
	}
	b.WriteByte('\n')
	os.Stderr.WriteString(b.String())
	for _, m := range refusalMessages {
		if strings.HasPrefix(msg, m) {
			emit("inbound_refused", kv{"error", strings.TrimPrefix(reason, "err ")})
		}
	}
}
