/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of a switch: what is refused, with which field named; limits at -1, 0 and +1; the copy;
 * memory that fails. */
#include <criterion/criterion.h>

#include <string.h>

#include "p2p/switch_internal.h"
#include "tests/sim/sim_internal.h"
#include "tests/support/test_mem.h"

typedef struct fixture {
    sim_net *net;
    sim_node *node;
} fixture;

static fixture open_fixture(void) {
    sim_options options;
    sim_options_default(&options, 1);
    fixture f = {.net = sim_net_new(&options)};
    f.node = sim_node_new(f.net, "node");
    return f;
}

static sy_err try_settings(fixture *f, const sy_settings *settings, sy_detail *detail) {
    sy_switch *sw = NULL;
    sy_detail_clear(detail);
    const sy_err err = sy_switch_new(settings, &sim_driver_ops, f->node, &sw, detail);
    if (err == SY_OK) {
        sy_switch_del(sw);
    } else {
        cr_expect_null(sw, "the output was written on failure");
    }
    return err;
}

static const char *text_of_length(size_t len) {
    static char text[2048];
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

typedef void (*change)(sy_settings *s);

static void no_key(sy_settings *s) {
    s->node_key = NULL;
}
static void no_network(sy_settings *s) {
    s->network = NULL;
}
static void empty_network(sy_settings *s) {
    s->network = "";
}
static void control_network(sy_settings *s) {
    s->network = "a\nb";
}
static void long_network(sy_settings *s) {
    s->network = text_of_length(SY_NODE_INFO_TEXT_MAX);
}
static void longer_network(sy_settings *s) {
    s->network = text_of_length(SY_NODE_INFO_TEXT_MAX + 1);
}
static void empty_moniker(sy_settings *s) {
    s->moniker = "";
}
static void non_ascii_moniker(sy_settings *s) {
    s->moniker = "caf\xc3\xa9";
}
static void empty_version(sy_settings *s) {
    s->version = "";
}
static void empty_rpc(sy_settings *s) {
    s->rpc_address = "";
}
static void control_rpc(sy_settings *s) {
    s->rpc_address = "\x7f";
}
static void no_cipher(sy_settings *s) {
    s->frame_cipher = NULL;
}
static void unknown_cipher(sy_settings *s) {
    s->frame_cipher = "avx";
}
static void bad_listen(sy_settings *s) {
    s->listen_addr = "host:65536";
}
static void name_listen(sy_settings *s) {
    s->listen_addr = "seed.example:26656";
}
static void no_pong(sy_settings *s) {
    s->pong_timeout = 0;
}
static void pong_as_ping(sy_settings *s) {
    s->pong_timeout = s->ping_interval;
}
static void pong_below_ping(sy_settings *s) {
    s->pong_timeout = s->ping_interval - 1;
}
static void no_payload(sy_settings *s) {
    s->packet_payload_max = 0;
}
static void payload_1(sy_settings *s) {
    s->packet_payload_max = 1;
}
static void payload_cap(sy_settings *s) {
    s->packet_payload_max = SY_PACKET_PAYLOAD_CAP;
}
static void payload_above(sy_settings *s) {
    s->packet_payload_max = SY_PACKET_PAYLOAD_CAP + 1;
}
static void no_pending(sy_settings *s) {
    s->max_pending = 0;
}
static void one_pending(sy_settings *s) {
    s->max_pending = 1;
}
static void no_handshake_time(sy_settings *s) {
    s->handshake_timeout = 0;
}
static void no_dial_time(sy_settings *s) {
    s->dial_timeout = 0;
}
static void no_parking(sy_settings *s) {
    s->park_timeout = 0;
}
static void channels_16(sy_settings *s) {
    static const uint8_t ids[17] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    s->extra_channels = ids;
    s->extra_channel_count = 16;
}
static void channels_17(sy_settings *s) {
    channels_16(s);
    s->extra_channel_count = 17;
}
static void peer_memory_65535(sy_settings *s) {
    s->peer_memory_max = 65535;
}
static void peer_memory_65536(sy_settings *s) {
    s->peer_memory_max = 65536;
}
static void memory_below_peer(sy_settings *s) {
    s->memory_max = s->peer_memory_max - 1;
}
static void memory_as_peer(sy_settings *s) {
    s->memory_max = s->peer_memory_max;
}
static void no_profile(sy_settings *s) {
    s->profile_count = 0;
}
static void unknown_profile(sy_settings *s) {
    s->profiles[0] = "Tendermint";
}
static void profile_twice(sy_settings *s) {
    s->profiles[1] = "tendermint";
    s->profile_count = 2;
}
static void all_profiles(sy_settings *s) {
    s->profiles[1] = "cometbft";
    s->profiles[2] = "plain";
    s->profile_count = 3;
}
static void five_profiles(sy_settings *s) {
    s->profile_count = 5;
}

static const struct {
    const char *name;
    change apply;
    const char *field; /* NULL: accepted */
} rows[] = {
    {"no key", no_key, "node_key"},
    {"no network", no_network, "chain_id"},
    {"empty network", empty_network, "chain_id"},
    {"control character in network", control_network, "chain_id"},
    {"network of 1024", long_network, NULL},
    {"network of 1025", longer_network, "chain_id"},
    {"empty moniker", empty_moniker, "moniker"},
    {"moniker not ASCII", non_ascii_moniker, "moniker"},
    {"empty version", empty_version, "version"},
    {"empty rpc address", empty_rpc, NULL},
    {"control character in rpc address", control_rpc, "rpc_address"},
    {"no frame cipher", no_cipher, "frame_cipher"},
    {"unknown frame cipher", unknown_cipher, "frame_cipher: none of"},
    {"listen address with port 65536", bad_listen, "external_address"},
    {"listen address with a name", name_listen, NULL},
    {"no pong time", no_pong, "pong_timeout"},
    {"pong time as ping interval", pong_as_ping, "pong_timeout"},
    {"pong time below ping interval", pong_below_ping, NULL},
    {"payload 0", no_payload, "max_packet_msg_payload_size"},
    {"payload 1", payload_1, NULL},
    {"payload at the cap", payload_cap, NULL},
    {"payload above the cap", payload_above, "max_packet_msg_payload_size"},
    {"no pending", no_pending, "pending_handshakes"},
    {"one pending", one_pending, NULL},
    {"no handshake time", no_handshake_time, "handshake_timeout"},
    {"no dial time", no_dial_time, "dial_timeout"},
    {"no parking", no_parking, "park_timeout"},
    {"16 channels", channels_16, NULL},
    {"17 channels", channels_17, "channels"},
    {"peer memory 65535", peer_memory_65535, "peer_memory_max"},
    {"peer memory 65536", peer_memory_65536, NULL},
    {"memory below that of a peer", memory_below_peer, "peer_memory_max"},
    {"memory as that of a peer", memory_as_peer, NULL},
    {"no profile", no_profile, "profiles"},
    {"unknown profile", unknown_profile, "profiles"},
    {"a profile twice", profile_twice, "profiles"},
    {"all profiles", all_profiles, NULL},
    {"five profiles", five_profiles, "profiles"},
};

Test(switch_settings, are_checked_and_the_field_is_named) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture f = open_fixture();
        sy_settings settings = *sim_settings(f.node);
        sy_detail detail;
        rows[i].apply(&settings);

        const sy_err err = try_settings(&f, &settings, &detail);

        cr_expect_eq(err, rows[i].field == NULL ? SY_OK : SY_ERR_CONFIG, "row %s: %s (%s)",
                     rows[i].name, sy_err_name(err), detail.text);
        cr_expect(rows[i].field == NULL || strstr(detail.text, rows[i].field) != NULL,
                  "row %s: detail \"%s\"", rows[i].name, detail.text);
        cr_expect_eq(sim_live_bytes(f.node), 0, "row %s", rows[i].name);
        sim_net_del(f.net);
    }
}

/* Whoever names a cipher gets it, or hears that the processor does not run it. */
Test(switch_settings, name_the_frame_cipher) {
    static const char *const names[] = {"library", "avx512", "avx2"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f = open_fixture();
        sy_settings settings = *sim_settings(f.node);
        settings.frame_cipher = names[i];
        sy_switch *sw = NULL;
        sy_detail detail;
        sy_detail_clear(&detail);
        const sy_err err = sy_switch_new(&settings, &sim_driver_ops, f.node, &sw, &detail);
        if (sy_frame_cipher_runs(names[i])) {
            cr_assert_eq(err, SY_OK, "%s: %s", names[i], detail.text);
            cr_expect_str_eq(sy_switch_frame_cipher(sw), names[i]);
            sy_switch_del(sw);
        } else {
            cr_expect_eq(err, SY_ERR_CONFIG, "%s", names[i]);
            cr_expect_str_eq(detail.text, "frame_cipher: this processor does not have it");
        }
        sim_net_del(f.net);
    }
}

Test(switch_settings, are_copied_with_all_text) {
    fixture f = open_fixture();
    char network[] = "first";
    char moniker[] = "before";
    sy_node_key key = f.node->key;
    sy_node_id ids[1] = {f.node->id};
    sy_settings settings = *sim_settings(f.node);
    settings.network = network;
    settings.moniker = moniker;
    settings.node_key = &key;
    settings.unconditional_ids = ids;
    settings.unconditional_count = 1;
    sy_switch *sw = NULL;
    cr_assert_eq(sy_switch_new(&settings, &sim_driver_ops, f.node, &sw, NULL), SY_OK);

    memset(network, 'z', 5);
    memset(moniker, 'z', 6);
    memset(ids, 0xff, sizeof ids);
    sy_node_key_wipe(&key);

    cr_expect_str_eq(sw->settings.network, "first");
    cr_expect_eq(memcmp(sw->ours.network.data, "first", 5), 0);
    cr_expect_eq(memcmp(sw->ours.moniker.data, "before", 6), 0);
    cr_expect(sy_node_id_equal(&sw->settings.unconditional_ids[0], &f.node->id));
    cr_expect(sy_node_id_equal(sy_switch_id(sw), &f.node->id));
    sy_switch_del(sw);
    sim_net_del(f.net);
}

/* Every allocation of making, starting, listening and adding a peer fails once. */
Test(switch_settings, survive_every_failing_allocation) {
    fixture f = open_fixture();
    sim_node *other = sim_node_new(f.net, "other");
    sim_dial(f.node, other, SY_DIAL_PERSISTENT);
    size_t before = sim_alloc_calls(f.node);
    sim_start(f.node);
    const size_t calls = sim_alloc_calls(f.node) - before;
    sim_stop_and_wait(f.node);
    cr_assert_gt(calls, 5);

    for (size_t k = 1; k <= calls; k++) {
        sim_fail_alloc(f.node, k);
        const sy_err err = sim_try_start(f.node);
        cr_expect_eq(err, SY_ERR_NOMEM, "allocation %zu of %zu: %s", k, calls, sy_err_name(err));
        sim_heal_allocs(f.node);
        if (err == SY_OK) {
            sim_stop_and_wait(f.node);
        }
        cr_expect_eq(sim_live_bytes(f.node), 0, "allocation %zu", k);
    }
    sim_start(f.node);
    sim_net_del(f.net);
}

/* Every allocation on the way from accept to a first message fails once, at either end; the node
 * goes on, and the next attempt succeeds. */
Test(switch_settings, connections_survive_every_failing_allocation) {
    static const char *const profiles[] = {"plain", "tendermint", "cometbft"};
    for (size_t p = 0; p < 3; p++) {
        for (size_t k = 1; k <= 40; k++) {
            for (size_t end = 0; end < 2; end++) {
                fixture f = open_fixture();
                sim_node *other = sim_node_new(f.net, "other");
                sim_set_profile(f.node, profiles[p]);
                sim_set_profile(other, profiles[p]);
                sim_start(f.node);
                sim_start(other);
                sim_dial(f.node, other, SY_DIAL_PERSISTENT);
                sim_fail_alloc(end == 0 ? f.node : other, k);
                sim_run_for(f.net, SY_SEC);
                sim_heal_allocs(f.node);
                sim_heal_allocs(other);
                cr_assert(sim_wait_until_connected(f.node, other, 10 * SY_SEC), "%s, %zu, %zu",
                          profiles[p], k, end);
                sim_net_del(f.net);
            }
        }
    }
}

/* `yard check-config` says that no more than 2 MiB are there before the first connection,
 * and the driver has read areas of its own. */
Test(switch_settings, a_switch_without_peers_is_small) {
    fixture f = open_fixture();
    test_mem tm;
    sy_detail detail;
    sy_switch *sw;
    test_mem_init(&tm);
    sy_settings settings = *sim_settings(f.node);
    settings.mem = &tm.mem;
    cr_assert_eq(sy_switch_new(&settings, &sim_driver_ops, f.node, &sw, &detail), SY_OK);
    cr_expect_leq(tm.peak_bytes, (size_t)7 << 18, "%zu", tm.peak_bytes);
    cr_expect_geq(tm.peak_bytes, (size_t)64 << 10, "%zu: is something not counted?", tm.peak_bytes);
    sy_switch_del(sw);
    test_mem_fini(&tm);
    sim_net_del(f.net);
}
