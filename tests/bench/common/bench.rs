// SPDX-License-Identifier: Apache-2.0
// What the Rust subjects share; arguments, messages and output are those of bench.h.
#![allow(dead_code)]

use std::time::{SystemTime, UNIX_EPOCH};

pub const HEADER: usize = 16;
pub const URGENT_SIZE: usize = 200;
pub const RTT_SIZE: usize = 100;
pub const GAP_MS: u64 = 2;
pub const SIZE_MAX: usize = 4 << 20;
pub const ACK_LEN: usize = 48;
pub const ACK_WARM: u64 = 1;
pub const ACK_DONE: u64 = 2;

pub struct Args {
    pub serve: bool,
    pub row: String,
    pub addrs: Vec<String>,
    pub size: usize,
    pub warm: u64,
    pub count: u64,
    pub nodes: usize,
    pub pattern: Vec<u8>,
}

pub fn die(text: &str) -> ! {
    eprintln!("bench: {text}");
    std::process::exit(1);
}

pub fn parse() -> Args {
    let words: Vec<String> = std::env::args().collect();
    let mode = words.get(1).map(String::as_str).unwrap_or("");
    if mode != "serve" && mode != "run" {
        die("usage: subject serve|run [--flag value]...");
    }
    let mut args = Args {
        serve: mode == "serve",
        row: "bulk".into(),
        addrs: vec![],
        size: 65536,
        warm: 0,
        count: 0,
        nodes: 1,
        pattern: vec![],
    };
    for pair in words[2..].chunks(2) {
        let value = pair.get(1).map(String::as_str).unwrap_or("");
        let number = || value.parse::<u64>().unwrap_or_else(|_| die(&pair[0]));
        match pair[0].as_str() {
            "--row" => args.row = value.into(),
            "--profile" | "--defaults" => {}
            "--addr" => args.addrs = value.split(',').map(String::from).collect(),
            "--size" => args.size = number() as usize,
            "--warm" => args.warm = number(),
            "--count" => args.count = number(),
            "--nodes" => args.nodes = number() as usize,
            other => die(other),
        }
    }
    let mut x: u64 = 0x9e37_79b9_7f4a_7c15;
    args.pattern = (0..SIZE_MAX)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 56) as u8
        })
        .collect();
    args
}

pub fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

pub fn cpu_ns() -> u64 {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

pub fn load(at: &[u8]) -> u64 {
    u64::from_le_bytes(at[..8].try_into().unwrap())
}

impl Args {
    /// A message behind its length, ready to be stamped.
    pub fn framed(&self, size: usize) -> Vec<u8> {
        let mut out = (size as u32).to_be_bytes().to_vec();
        out.extend_from_slice(&self.pattern[..size]);
        out
    }

    pub fn check(&self, msg: &[u8], size: usize, number: u64) {
        if msg.len() != size || load(msg) != number || msg[HEADER..] != self.pattern[HEADER..size] {
            die(&format!("message {number} of {size} bytes arrived wrong ({} bytes)", msg.len()));
        }
    }

    pub fn report(&self, elapsed_ns: u64, cpu: u64, ack: &[u64; 6]) {
        println!(
            "result elapsed_ns={} bytes={} messages={} cpu_ns={} peer_cpu_ns={} samples={} \
             p50_ns={} p99_ns={} p999_ns={}",
            elapsed_ns,
            self.count * self.size as u64,
            self.count,
            cpu,
            ack[5],
            ack[1],
            ack[2],
            ack[3],
            ack[4]
        );
    }
}

pub fn stamp(framed: &mut [u8], number: u64) {
    framed[4..12].copy_from_slice(&number.to_le_bytes());
    framed[12..20].copy_from_slice(&wall_ns().to_le_bytes());
}

pub fn percentile(ns: &mut [u64], percent: f64) -> u64 {
    if ns.is_empty() {
        return 0;
    }
    ns.sort_unstable();
    ns[((ns.len() as f64 * percent / 100.0) as usize).min(ns.len() - 1)]
}

pub fn ack_bytes(values: &[u64; 6]) -> Vec<u8> {
    let mut out = (ACK_LEN as u32).to_be_bytes().to_vec();
    for v in values {
        out.extend_from_slice(&v.to_le_bytes());
    }
    out
}

pub fn ack_read(msg: &[u8]) -> [u64; 6] {
    if msg.len() != ACK_LEN {
        die("acknowledgement of another length");
    }
    std::array::from_fn(|i| load(&msg[8 * i..]))
}

/// A receiver's account of bulk; take() returns the acknowledgement that is due.
#[derive(Default)]
pub struct Receiver {
    got: u64,
    cpu_at_warm: u64,
}

impl Receiver {
    pub fn take(&mut self, args: &Args, msg: &[u8], urgent: &mut dyn FnMut() -> Vec<u64>)
        -> Option<[u64; 6]> {
        args.check(msg, args.size, self.got);
        self.got += 1;
        if self.got == args.warm {
            self.cpu_at_warm = cpu_ns();
            return Some([ACK_WARM, 0, 0, 0, 0, 0]);
        }
        if self.got == args.warm + args.count {
            let mut ns = urgent();
            return Some([
                ACK_DONE,
                ns.len() as u64,
                percentile(&mut ns, 50.0),
                percentile(&mut ns, 99.0),
                percentile(&mut ns, 99.9),
                cpu_ns() - self.cpu_at_warm,
            ]);
        }
        None
    }
}
