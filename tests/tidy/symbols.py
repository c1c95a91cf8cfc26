#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the cores do no input or output: the undefined symbols of each core archive (nm -u)
must be on the allow-list of its folder.  No clock, socket, file, thread or random source is.

    symbols.py [--root DIR] [archive...]      default: all libsy_*.a below build/, but not fuzz*"""

import os
import re
import shutil
import subprocess

import common

# Pure functions of the C library: memory, strings, numbers, formatting into memory.
LIBC = """
    memcpy memmove memset memcmp memchr memrchr explicit_bzero bcmp
    strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr strstr strspn strcspn
    strpbrk memmem strtol strtoul strtoll strtoull strtod abort qsort bsearch abs labs
    isalnum isalpha isdigit islower isprint isspace isupper isxdigit tolower toupper
    snprintf vsnprintf log2 log exp pow sqrt floor ceil fabs fmod
    __errno_location __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc
"""
# The compiler's own.
RUNTIME = re.compile(
    r"(__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__tls_get_addr|__dso_handle|_Unwind_Resume"
    r"|__(asan|ubsan|msan|tsan|sanitizer|gcov|llvm|cov|sancov)_\w*|__gcov\w*"
    r"|__(u)?(div|mod|mul)(t|d|o)i\d|__popcount[sdt]i2|__(addv|subv|mulv)[sdt]i3)$")
SODIUM = re.compile(
    r"(sodium_(memzero|stackzero|memcmp|compare|increment|add|sub|is_zero|init|bin2hex|hex2bin"
    r"|bin2base64|base642bin|base64_encoded_len|pad|unpad|misuse)"
    r"|crypto_(core|scalarmult|sign|secretbox|box|hash|auth|stream|onetimeauth|aead|verify|kdf"
    r"|generichash|shorthash)_?\w*)$")
# Key generation draws random bytes; drawing belongs to the driver.
SODIUM_RANDOM = re.compile(
    r"(randombytes\w*|crypto_\w*keypair|crypto_\w*_keygen|crypto_core_\w*_random)$")
SEED_KEYPAIR = re.compile(r"crypto_\w*seed_keypair$")
OPENSSL = re.compile(
    r"(EVP_\w+|OSSL_PARAM_\w+|OPENSSL_cleanse|CRYPTO_(memcmp|free|clear_free)|HMAC\w*|RIPEMD160\w*"
    r"|SHA256\w*|OBJ_nid2sn|ERR_(clear_error|get_error|peek_error|error_string_n))$")
# BIO_parse_hostserv splits text and gives memory of OpenSSL's allocator.
OPENSSL_HOSTSERV = re.compile(
    r"(BIO_parse_hostserv|CRYPTO_free|ERR_(set_mark|pop_to_mark|clear_error))$")
JANSSON = re.compile(
    r"(json_(?!load_file|dump_file|loadfd|dumpfd|loadf|dumpf|load_callback|dump_callback)\w+"
    r"|jansson_version_\w+)$")
PROTOBUF = re.compile(r"protobuf_c_\w+$")
NUMERIC_HOST = re.compile(r"(inet_pton|inet_ntop)$")
# The compiler's run time: which instructions there are; a constant of the machine.
PROCESSOR = re.compile(r"__cpu_(model|indicator_init|features2)$")
ALLOCATOR = re.compile(r"(malloc|calloc|realloc|free|aligned_alloc|malloc_usable_size)$")
# What the handler of a failed requirement says before it aborts.
LAST_WORDS = re.compile(r"(fprintf|fputs|fwrite|stderr|fflush)$")

CORES = {
    "base": (SODIUM, ALLOCATOR, LAST_WORDS),
    "nodeinfo": (SODIUM, JANSSON),
    "conn": (SODIUM, OPENSSL, PROCESSOR),
    "p2p": (OPENSSL, OPENSSL_HOSTSERV, JANSSON, PROTOBUF, NUMERIC_HOST),
    "reactor": (PROTOBUF,),
}
# The object that alone may use an allowance: archive folder, pattern -> object name.
ONLY_IN = (("base", ALLOCATOR, "mem.c.o"), ("base", LAST_WORDS, "assert.c.o"),
           ("conn", PROCESSOR, "lanes.c.o"))

WHY = (
    (re.compile(r"(time|clock\w*|gettimeofday|times|ftime|localtime\w*|gmtime\w*|mktime|strftime"
                r"|nanosleep|usleep|sleep|timer\w*)$"), "a clock; time comes in as `now`"),
    (re.compile(r"(socket|connect|accept4?|bind|listen|send\w*|recv\w*|getaddrinfo|freeaddrinfo"
                r"|getnameinfo|gethostby\w+|shutdown|[gs]etsockopt|poll|select|epoll\w*)$"),
     "a socket; the driver does that"),
    (re.compile(r"(read|write|open\w*|close|fopen\w*|fclose|fread|fwrite|fgets|fputs|puts|putchar"
                r"|fputc|putc|printf|fprintf|vprintf|vfprintf|dprintf|perror|stat|fstat|lstat"
                r"|unlink|rename|mkdir|fsync|remove|std(in|out|err)|fflush|json_load_file"
                r"|json_dump_file)$"), "a file; cores read and write memory"),
    (re.compile(r"(rand|random|srand|srandom|rand_r|[dlm]rand48|getrandom|getentropy|arc4random\w*"
                r"|randombytes\w*|RAND_\w+|crypto_\w*keypair|crypto_\w*_keygen"
                r"|crypto_core_\w*_random)$"),
     "a random source; randomness comes in as values"),
    (re.compile(r"(pthread_\w+|thrd_\w+|mtx_\w+|cnd_\w+|sem_\w+|fork|vfork|exec\w+|signal"
                r"|sigaction|raise)$"), "a thread or process; the driver does that"),
    (re.compile(r"(exit|_exit|_Exit|quick_exit|atexit)$"), "the end of the process"),
    (re.compile(r"(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok)$"), "banned"),
    (ALLOCATOR, "memory beside sy_mem"),
    (re.compile(r"(getenv|secure_getenv|setlocale|system)$"), "the environment"),
)
NM_LINE = re.compile(
    r"\S*?:(?P<obj>[^:\s]+):\s*[0-9a-f]*\s+(?P<kind>[A-Za-z?])\s+(?P<sym>\S+)$")
FORTIFIED = re.compile(r"__(\w+)_chk$")
C23 = re.compile(r"__isoc(?:23|99)_(\w+)$")


def plain_name(symbol):
    """memcpy for __memcpy_chk, strtoul for __isoc23_strtoul, without version."""
    symbol = symbol.split("@")[0]
    for pattern in (FORTIFIED, C23):
        match = pattern.match(symbol)
        if match:
            return match.group(1)
    return symbol


def folder_of_archive(path):
    """base, p2p ... for libsy_base.a; None when it is not a core's."""
    match = re.match(r"libsy_(\w+)\.a$", os.path.basename(path))
    if match is None:
        return None
    name = match.group(1)
    if name in CORES:
        return name
    return "reactor" if name.startswith("reactor") else None


def read_symbols(nm, path):
    """[(object, symbol)] undefined and {symbols} defined, over all objects of the archive."""
    run = subprocess.run([nm, "-A", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         check=False, text=True)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip() or f"{nm} failed")
    undefined, defined = [], set()
    for line in run.stdout.splitlines():
        match = NM_LINE.match(line)
        if match is None:
            continue
        if match.group("kind") in "Uwv":
            undefined.append((match.group("obj"), match.group("sym")))
        elif match.group("kind").isupper():
            defined.add(match.group("sym"))
    return undefined, defined


def reason_against(folder, obj, name):
    """None when the symbol is allowed, else why not."""
    if name.startswith("sy_") or RUNTIME.match(name) or name in LIBC_SET:
        return None
    allowed = any(pattern.match(name) for pattern in CORES[folder])
    if allowed and SODIUM_RANDOM.match(name) and not SEED_KEYPAIR.match(name):
        allowed = False
    if allowed:
        for row_folder, pattern, only in ONLY_IN:
            if row_folder == folder and pattern.match(name) and obj != only:
                return f"only {only} may"
        return None
    for pattern, why in WHY:
        if pattern.match(name):
            return why
    return "not on the allow-list of this folder"


LIBC_SET = set(LIBC.split())


def check_archive(path, report):
    folder = folder_of_archive(path)
    undefined, defined = read_symbols(shutil.which("nm") or "nm", path)
    if any(sym.startswith("__gnu_lto") for sym in defined) and shutil.which("gcc-nm"):
        undefined, defined = read_symbols("gcc-nm", path)
    if not defined:
        report.add(path, "defines no symbol at all; is it empty, or built for link-time "
                         "optimisation by another compiler?")
    seen = set()
    for obj, symbol in undefined:
        name = plain_name(symbol)
        if symbol in defined or (obj, name) in seen:
            continue
        seen.add((obj, name))
        why = reason_against(folder, obj, name)
        if why is not None:
            report.add(f"{os.path.basename(path)}({obj})", f"{name}: {why}")
    return len(seen)


def find_archives(root):
    found = []
    for folder, below, names in os.walk(os.path.join(root, "build")):
        below[:] = [d for d in below if not d.startswith("fuzz")]  # libFuzzer's own symbols
        found += [os.path.join(folder, n) for n in names if folder_of_archive(n)]
    return sorted(found)


def main():
    parser = common.parser(__doc__)
    parser.add_argument("archives", nargs="*")
    args = parser.parse_args()
    report = common.Report("symbols")
    archives = args.archives or find_archives(args.root)
    if not archives:
        report.add(args.root, "no core archive found; build first")
    checked = symbols = 0
    for path in archives:
        if folder_of_archive(path) is None:
            if args.archives and not os.path.basename(path).startswith("libsy_"):
                report.add(path, "not an archive of ours")
            continue
        try:
            symbols += check_archive(path, report)
            checked += 1
        except RuntimeError as error:
            report.add(path, str(error))
    report.finish(f"{checked} archives, {symbols} undefined symbols")


if __name__ == "__main__":
    main()
