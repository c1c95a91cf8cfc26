// SPDX-License-Identifier: Apache-2.0
// The secret connection of tendermint-rs as a subject: it has no multiplexer, so messages go behind
// each other with a length, and a handshake is the secret connection alone, without NodeInfo.

#[path = "../../common/bench.rs"]
mod bench;

use bench::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tendermint_p2p::secret_connection::{SecretConnection, Version};

type Conn = SecretConnection<TcpStream>;

fn shake(stream: TcpStream) -> Conn {
    let _ = stream.set_nodelay(true);
    let key = ed25519_consensus::SigningKey::new(rand_core::OsRng);
    SecretConnection::new(stream, key, Version::V0_34)
        .unwrap_or_else(|e| die(&format!("handshake: {e}")))
}

struct Reader {
    buf: Vec<u8>,
    at: usize,
}

impl Reader {
    fn new() -> Self {
        Reader { buf: Vec::new(), at: 0 }
    }

    fn fill(&mut self, conn: &mut Conn, need: usize) -> bool {
        if self.at > 1 << 20 || self.at == self.buf.len() {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        while self.buf.len() - self.at < need {
            let len = self.buf.len();
            self.buf.resize(len + 1024, 0); // a smaller buffer makes it panic
            match conn.read(&mut self.buf[len..]) {
                Ok(n) if n > 0 => self.buf.truncate(len + n),
                _ => return false,
            }
        }
        true
    }

    fn next(&mut self, conn: &mut Conn) -> Option<&[u8]> {
        if !self.fill(conn, 4) {
            return None;
        }
        let head: [u8; 4] = self.buf[self.at..self.at + 4].try_into().unwrap();
        let len = u32::from_be_bytes(head) as usize;
        if len > SIZE_MAX || !self.fill(conn, 4 + len) {
            return None;
        }
        let start = self.at + 4;
        self.at = start + len;
        Some(&self.buf[start..start + len])
    }
}

fn serve_connection(args: &Args, stream: TcpStream) {
    let mut conn = shake(stream);
    let mut reader = Reader::new();
    let mut receiver = Receiver::default();
    let mut trips = 0;
    while let Some(msg) = reader.next(&mut conn) {
        if args.row == "rtt" {
            args.check(msg, RTT_SIZE, trips);
            trips += 1;
            let mut out = (msg.len() as u32).to_be_bytes().to_vec();
            out.extend_from_slice(msg);
            let _ = conn.write_all(&out);
        } else if let Some(ack) = receiver.take(args, msg, &mut Vec::new) {
            let _ = conn.write_all(&ack_bytes(&ack));
        }
    }
}

fn serve(args: Arc<Args>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("ready {}", listener.local_addr().unwrap());
    let done = Arc::new(AtomicU64::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (args, done) = (args.clone(), done.clone());
            let stream = stream.unwrap();
            std::thread::spawn(move || {
                if args.row == "handshakes" {
                    let mut conn = shake(stream);
                    if done.fetch_add(1, Ordering::Relaxed) + 1 == args.count {
                        println!("done");
                    }
                    let _ = conn.read(&mut [0; 1024]);
                } else {
                    serve_connection(&args, stream);
                }
            });
        }
    });
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap_or(0) > 0 {}
}

fn connect(args: &Args) -> TcpStream {
    TcpStream::connect(&args.addrs[0]).unwrap_or_else(|e| die(&format!("connect: {e}")))
}

fn run_handshakes(args: Arc<Args>) {
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let threads: Vec<_> = (0..args.nodes)
        .map(|_| {
            let (args, next) = (args.clone(), next.clone());
            std::thread::spawn(move || {
                while next.fetch_add(1, Ordering::Relaxed) < args.count {
                    drop(shake(connect(&args)));
                }
            })
        })
        .collect();
    for t in threads {
        t.join().unwrap();
    }
    println!("result elapsed_ns={} messages={}", start.elapsed().as_nanos(), args.count);
}

fn run_bulk(args: &Args) {
    let mut conn = shake(connect(args));
    let mut reader = Reader::new();
    let mut msg = args.framed(args.size);
    let mut send = |conn: &mut Conn, from: u64, to: u64| {
        for i in from..to {
            stamp(&mut msg, i);
            conn.write_all(&msg).unwrap_or_else(|e| die(&format!("write: {e}")));
        }
    };
    let mut ack = |conn: &mut Conn, kind: u64| {
        let ack = ack_read(reader.next(conn).unwrap_or_else(|| die("no acknowledgement")));
        if ack[0] != kind {
            die("acknowledgement of another kind");
        }
        ack
    };
    send(&mut conn, 0, args.warm);
    ack(&mut conn, ACK_WARM);
    let (start, cpu) = (Instant::now(), cpu_ns());
    send(&mut conn, args.warm, args.warm + args.count);
    let last = ack(&mut conn, ACK_DONE);
    args.report(start.elapsed().as_nanos() as u64, cpu_ns() - cpu, &last);
}

fn run_trips(args: &Args) {
    let mut conn = shake(connect(args));
    let mut reader = Reader::new();
    let mut msg = args.framed(RTT_SIZE);
    let mut ns = Vec::new();
    for i in 0..args.count {
        stamp(&mut msg, i);
        conn.write_all(&msg).unwrap_or_else(|e| die(&format!("write: {e}")));
        let back = reader.next(&mut conn).unwrap_or_else(|| die("no echo"));
        let now = wall_ns();
        args.check(back, RTT_SIZE, i);
        ns.push(now - load(&back[8..]));
        std::thread::sleep(Duration::from_millis(GAP_MS));
    }
    println!("result messages={} p50_ns={} p99_ns={}", ns.len(), percentile(&mut ns, 50.0),
        percentile(&mut ns, 99.0));
}

fn main() {
    let args = Arc::new(parse());
    match (args.serve, args.row.as_str()) {
        (true, _) => serve(args),
        (false, "handshakes") => run_handshakes(args),
        (false, "rtt") => run_trips(&args),
        (false, _) => run_bulk(&args),
    }
}
