// SPDX-License-Identifier: Apache-2.0
// rust-libp2p as a subject: Noise and yamux over TCP, messages behind each other with a length on
// substreams, a 64 KiB write buffer, the swarm in a task of its own.

#[path = "../../common/bench.rs"]
mod bench;

use bench::*;
use futures::io::{BufReader, BufWriter};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::SwarmEvent;
use libp2p::{noise, tcp, yamux, Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder};
use libp2p_stream as stream;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncBufReadExt;

const BUFFER: usize = 65536;
const LINGERING: usize = 64; // connections of the handshake row
const BULK: StreamProtocol = StreamProtocol::new("/bench/bulk");
const URGENT: StreamProtocol = StreamProtocol::new("/bench/urgent");

type Host = Swarm<stream::Behaviour>;

fn new_swarm() -> Host {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap_or_else(|e| die(&format!("transport: {e}")))
        .with_behaviour(|_| stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|c| c.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build()
}

struct Pipe {
    reader: BufReader<futures::io::ReadHalf<Stream>>,
    writer: BufWriter<futures::io::WriteHalf<Stream>>,
}

fn pipe(stream: Stream) -> Pipe {
    let (r, w) = stream.split();
    Pipe {
        reader: BufReader::with_capacity(BUFFER, r),
        writer: BufWriter::with_capacity(BUFFER, w),
    }
}

impl Pipe {
    async fn next(&mut self, msg: &mut Vec<u8>) -> bool {
        let mut head = [0; 4];
        if self.reader.read_exact(&mut head).await.is_err() {
            return false;
        }
        let len = u32::from_be_bytes(head) as usize;
        if len > SIZE_MAX {
            die("message too long");
        }
        msg.resize(len, 0);
        self.reader.read_exact(msg).await.is_ok()
    }

    async fn put(&mut self, framed: &[u8], flush: bool) {
        let mut done = self.writer.write_all(framed).await;
        if flush && done.is_ok() {
            done = self.writer.flush().await;
        }
        done.unwrap_or_else(|e| die(&format!("write: {e}")));
    }
}

async fn serve_bulk(args: Arc<Args>, samples: Arc<Mutex<Vec<u64>>>, stream: Stream) {
    let mut pipe = pipe(stream);
    let mut receiver = Receiver::default();
    let mut msg = Vec::new();
    while pipe.next(&mut msg).await {
        if args.row == "idle" {
            args.check(&msg, args.size, 0);
            let mut out = (msg.len() as u32).to_be_bytes().to_vec();
            out.extend_from_slice(&msg);
            pipe.put(&out, true).await;
            continue;
        }
        let mut take = || std::mem::take(&mut *samples.lock().unwrap());
        if let Some(ack) = receiver.take(&args, &msg, &mut take) {
            pipe.put(&ack_bytes(&ack), true).await;
        }
    }
}

async fn serve_urgent(args: Arc<Args>, samples: Arc<Mutex<Vec<u64>>>, stream: Stream) {
    let mut pipe = pipe(stream);
    let mut msg = Vec::new();
    let mut number = 0;
    while pipe.next(&mut msg).await {
        let now = wall_ns();
        if args.row == "rtt" {
            args.check(&msg, RTT_SIZE, number);
            let mut out = (msg.len() as u32).to_be_bytes().to_vec();
            out.extend_from_slice(&msg);
            pipe.put(&out, true).await;
        } else {
            args.check(&msg, URGENT_SIZE, number);
            samples.lock().unwrap().push(now.saturating_sub(load(&msg[8..])));
        }
        number += 1;
    }
}

async fn serve(args: Arc<Args>) {
    let mut swarm = new_swarm();
    let id = *swarm.local_peer_id();
    let mut bulk = swarm.behaviour().new_control().accept(BULK).unwrap();
    let mut urgent = swarm.behaviour().new_control().accept(URGENT).unwrap();
    let samples = Arc::new(Mutex::new(Vec::new()));
    let (a, s) = (args.clone(), samples.clone());
    tokio::spawn(async move {
        while let Some((_, stream)) = bulk.next().await {
            tokio::spawn(serve_bulk(a.clone(), s.clone(), stream));
        }
    });
    let (a, s) = (args.clone(), samples);
    tokio::spawn(async move {
        while let Some((_, stream)) = urgent.next().await {
            tokio::spawn(serve_urgent(a.clone(), s.clone(), stream));
        }
    });
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    tokio::spawn(async move {
        let mut connections = 0;
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => println!("ready {id}@{address}"),
                SwarmEvent::ConnectionEstablished { .. } => {
                    connections += 1;
                    if args.row == "handshakes" && connections == args.count {
                        println!("done");
                    }
                }
                _ => {}
            }
        }
    });
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = lines.next_line().await {}
    std::process::exit(0);
}

fn target(args: &Args) -> (PeerId, Multiaddr) {
    let (id, addr) = args.addrs[0].split_once('@').unwrap_or_else(|| die("address"));
    (id.parse().unwrap(), addr.parse().unwrap())
}

fn options(peer: PeerId, addr: Multiaddr) -> DialOpts {
    DialOpts::peer_id(peer).addresses(vec![addr]).condition(PeerCondition::Always).build()
}

async fn run_handshakes(args: &Args) {
    let (peer, addr) = target(args);
    let mut swarm = new_swarm();
    let start = Instant::now();
    let (mut begun, mut done) = (0, 0);
    let mut open = VecDeque::new();
    while done < args.count {
        while begun < args.count && begun - done < args.nodes as u64 {
            swarm.dial(options(peer, addr.clone())).unwrap();
            begun += 1;
        }
        match swarm.select_next_some().await {
            // Closed later: the other side may not be through with its half yet.
            SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                done += 1;
                open.push_back(connection_id);
                if open.len() > LINGERING {
                    swarm.close_connection(open.pop_front().unwrap());
                }
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => die(&format!("dial: {error}")),
            _ => {}
        }
    }
    let elapsed = start.elapsed().as_nanos();
    println!("result elapsed_ns={elapsed} messages={done}");
    // The last handshakes end on the other side only while we go on.
    let _ = tokio::time::timeout(Duration::from_millis(500), async {
        loop {
            swarm.select_next_some().await;
        }
    })
    .await;
}

async fn connect(args: &Args) -> (PeerId, stream::Control) {
    let (peer, addr) = target(args);
    let mut swarm = new_swarm();
    let control = swarm.behaviour().new_control();
    swarm.dial(options(peer, addr)).unwrap();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { .. } => break,
            SwarmEvent::OutgoingConnectionError { error, .. } => die(&format!("dial: {error}")),
            _ => {}
        }
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (peer, control)
}

async fn open(control: &mut stream::Control, peer: PeerId, protocol: StreamProtocol) -> Pipe {
    pipe(control.open_stream(peer, protocol).await.unwrap_or_else(|e| die(&format!("{e}"))))
}

async fn await_ack(pipe: &mut Pipe, kind: u64) -> [u64; 6] {
    let mut msg = Vec::new();
    if !pipe.next(&mut msg).await {
        die("no acknowledgement");
    }
    let ack = ack_read(&msg);
    if ack[0] != kind {
        die("acknowledgement of another kind");
    }
    ack
}

async fn run_bulk(args: Arc<Args>) {
    let (peer, mut control) = connect(&args).await;
    let mut bulk = open(&mut control, peer, BULK).await;
    let mut msg = args.framed(args.size);
    for i in 0..args.warm {
        stamp(&mut msg, i);
        bulk.put(&msg, i + 1 == args.warm).await;
    }
    await_ack(&mut bulk, ACK_WARM).await;
    let (start, cpu) = (Instant::now(), cpu_ns());
    if args.row == "urgent" {
        let mut urgent = open(&mut control, peer, URGENT).await;
        let mut small = args.framed(URGENT_SIZE);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(GAP_MS));
            for number in 0.. {
                tick.tick().await;
                stamp(&mut small, number);
                urgent.put(&small, true).await;
            }
        });
    }
    let sender = tokio::spawn({
        let args = args.clone();
        async move {
            for i in args.warm..args.warm + args.count {
                stamp(&mut msg, i);
                bulk.put(&msg, i + 1 == args.warm + args.count).await;
            }
            await_ack(&mut bulk, ACK_DONE).await
        }
    });
    let last = sender.await.unwrap();
    args.report(start.elapsed().as_nanos() as u64, cpu_ns() - cpu, &last);
}

async fn run_trips(args: &Args) {
    let (peer, mut control) = connect(args).await;
    let mut urgent = open(&mut control, peer, URGENT).await;
    let mut msg = args.framed(RTT_SIZE);
    let mut back = Vec::new();
    let mut ns = Vec::new();
    for i in 0..args.count {
        stamp(&mut msg, i);
        urgent.put(&msg, true).await;
        if !urgent.next(&mut back).await {
            die("no echo");
        }
        let now = wall_ns();
        args.check(&back, RTT_SIZE, i);
        ns.push(now - load(&back[8..]));
        tokio::time::sleep(Duration::from_millis(GAP_MS)).await;
    }
    println!("result messages={} p50_ns={} p99_ns={}", ns.len(), percentile(&mut ns, 50.0),
        percentile(&mut ns, 99.0));
}

async fn run_idle(args: &Args) {
    let mut links = Vec::new();
    for _ in 0..args.nodes {
        links.push(connect(args).await);
    }
    println!("connected");
    let mut lines = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    let mut msg = args.framed(args.size);
    let mut back = Vec::new();
    while let Ok(Some(_)) = lines.next_line().await {
        let mut pipes = Vec::new();
        for (peer, control) in &mut links {
            let mut p = open(control, *peer, BULK).await;
            stamp(&mut msg, 0);
            p.put(&msg, true).await;
            if !p.next(&mut back).await {
                die("no echo");
            }
            args.check(&back, args.size, 0);
            pipes.push(p);
        }
        drop(pipes);
        println!("touched");
    }
}

async fn start(args: Arc<Args>) {
    match (args.serve, args.row.as_str()) {
        (true, _) => serve(args).await,
        (false, "handshakes") => run_handshakes(&args).await,
        (false, "rtt") => run_trips(&args).await,
        (false, "idle") => run_idle(&args).await,
        (false, _) => run_bulk(args).await,
    }
}

fn main() {
    let args = Arc::new(parse());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::spawn(start(args)).await.unwrap() });
    std::process::exit(0);
}
