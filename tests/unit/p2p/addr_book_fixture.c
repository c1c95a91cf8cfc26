/* SPDX-License-Identifier: Apache-2.0 */
#include "addr_book_fixture.h"

#include <stdlib.h>
#include <string.h>

void fx_book_init(fx_book *fx, bool strict, uint64_t seed) {
    test_mem_init(&fx->tm);
    sy_addr_book_settings settings;
    sy_addr_book_settings_default(&settings);
    settings.mem = &fx->tm.mem;
    settings.strict = strict;
    settings.network = "chain";
    settings.seed = seed;
    memcpy(settings.random, &seed, sizeof seed);
    memset(settings.own_id.bytes, 0xee, sizeof settings.own_id.bytes);
    if (sy_addr_book_new(&settings, &fx->book) != SY_OK) {
        abort();
    }
    fx->src = sy_addr_book_source(fx->book);
    fx->now = FX_T0;
}

void fx_book_fini(fx_book *fx) {
    sy_addr_book_del(fx->book);
    test_mem_fini(&fx->tm);
}

static sy_node_id id_of(uint32_t n) {
    sy_node_id id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    id.bytes[19] = 1;
    return id;
}

sy_net_addr fx_addr(uint32_t n, uint32_t ip, uint16_t port) {
    sy_net_addr addr = {.id = id_of(n), .endpoint = {.port = port}};
    addr.endpoint.ip[10] = 0xff;
    addr.endpoint.ip[11] = 0xff;
    for (size_t i = 0; i < 4; i++) {
        addr.endpoint.ip[12 + i] = (uint8_t)(ip >> (24 - 8 * i));
    }
    return addr;
}

sy_net_addr fx_addr_text(uint32_t n, const char *ip, uint16_t port) {
    sy_net_addr addr = {.id = id_of(n)};
    if (sy_endpoint_parse_ip(ip, strlen(ip), &addr.endpoint) != SY_OK) {
        abort();
    }
    addr.endpoint.port = port;
    return addr;
}

sy_addr_verdict fx_tell_as(fx_book *fx, sy_net_addr addr, sy_net_addr source, sy_addr_told told) {
    const sy_addr_news news = {addr, source, told, ""};
    return fx->src.ops->add(fx->src.source, &news, (sy_walltime){fx->now});
}

sy_addr_verdict fx_tell(fx_book *fx, sy_net_addr addr, sy_net_addr source) {
    return fx_tell_as(fx, addr, source, SY_ADDR_TOLD_HEARSAY);
}

void fx_good(fx_book *fx, sy_net_addr addr) {
    fx->src.ops->on_good(fx->src.source, &addr, "tendermint", (sy_walltime){fx->now});
}

void fx_fail(fx_book *fx, sy_net_addr addr, unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        fx->src.ops->on_failed(fx->src.source, &addr.id, (sy_walltime){fx->now});
    }
}

size_t fx_size(const fx_book *fx) {
    return fx->src.ops->sizes(fx->src.source).all;
}
