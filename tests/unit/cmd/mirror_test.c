/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a seed believes what its network says.
 *
 * SPEC-TEST SEED-07 */
#include <criterion/criterion.h>

#include <string.h>

#include "cmd/yard/mirror.h"

static const sy_node_id seed_id = {{1}};
static const sy_node_id friend_id = {{2}};
static const sy_node_id stranger_id = {{3}};

/* Who says what, how. */
typedef struct word {
    const char *name;
    const sy_node_id *id;
    sy_event_kind kind;
    bool inbound;
    bool unproven;
    const char *profile;
    const char *network;
    bool believed;
} word;

static const word words[] = {
    {"a seed", &seed_id, SY_EVENT_INFO, false, false, "cometbft", "chain", true},
    {"a persistent peer", &friend_id, SY_EVENT_INFO, false, false, "cometbft", "chain", true},
    {"somebody that discovery found", &stranger_id, SY_EVENT_INFO, false, false, "cometbft",
     "chain", false},
    {"a seed that dialed us", &seed_id, SY_EVENT_INFO, true, false, "cometbft", "chain", false},
    {"nobody", &seed_id, SY_EVENT_INFO, false, true, "cometbft", "chain", false},
    {"another network", &seed_id, SY_EVENT_INFO, false, false, "cometbft", "chain2", false},
    {"part of the name", &seed_id, SY_EVENT_INFO, false, false, "cometbft", "chai", false},
    {"no versions", &seed_id, SY_EVENT_INFO, false, false, "tendermint", "chain", false},
    {"before it has said anything", &seed_id, SY_EVENT_IDENTITY, false, false, "cometbft", "chain",
     false},
};

static bool say(yard_mirror *mirror, const word *w, uint64_t block) {
    const sy_node_info info = {.network = {w->network, strlen(w->network)},
                               .p2p_version = 9,
                               .block_version = block,
                               .app_version = 5};
    const sy_event event = {.kind = w->kind,
                            .outbound = !w->inbound,
                            .has_id = !w->unproven,
                            .id = *w->id,
                            .profile = w->profile,
                            .info = w->kind == SY_EVENT_INFO ? &info : NULL};
    return yard_mirror_hear(mirror, &event);
}

typedef struct fixture {
    yard_config config;
    yard_node node;
    sy_addr seed;
    sy_addr friend;
} fixture;

static void init(fixture *fx) {
    memset(fx, 0, sizeof *fx);
    yard_config_init(&fx->config, "home");
    fx->seed = (sy_addr){.has_id = true, .id = seed_id, .host = "seed", .port = 1};
    fx->friend = (sy_addr){.has_id = true, .id = friend_id, .host = "friend", .port = 2};
    fx->node.seed_mode = true;
    fx->node.pex = true;
    fx->node.seeds = &fx->seed;
    fx->node.seed_count = 1;
    fx->node.persistent = &fx->friend;
    fx->node.persistent_count = 1;
}

Test(mirror, believes_whom_the_operator_named) {
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char chain[] = "chain";
        fixture fx;
        yard_mirror mirror;
        init(&fx);
        fx.node.chain_id = chain;
        yard_mirror_init(&mirror, &fx.config, &fx.node);
        cr_assert(yard_mirror_is_open(&mirror), "%s", words[i].name);
        cr_expect_eq(say(&mirror, &words[i], 12), words[i].believed, "%s", words[i].name);
        cr_expect_eq(yard_mirror_is_open(&mirror), !words[i].believed, "%s", words[i].name);
        if (words[i].believed) {
            cr_expect_eq(mirror.p2p_version, 9);
            cr_expect_eq(mirror.block_version, 12);
            cr_expect_eq(mirror.app_version, 5);
            cr_expect(sy_node_id_equal(&mirror.from.id, words[i].id), "%s", words[i].name);
            cr_expect_not(say(&mirror, &words[0], 13), "once");
            cr_expect_eq(mirror.block_version, 12);
        }
        yard_config_fini(&fx.config);
    }
}

Test(mirror, nothing_to_mirror) {
    static const struct {
        const char *name;
        yard_key given; /* YARD_KEY_COUNT: none */
        bool no_seed;
        bool nobody;
        bool open;
    } rows[] = {
        {"a seed", YARD_KEY_COUNT, false, false, true},
        {"another key is given", YARD_KEY_MONIKER, false, false, true},
        {"block_version is given", YARD_KEY_BLOCK_VERSION, false, false, false},
        {"p2p_version is given", YARD_KEY_P2P_VERSION, false, false, false},
        {"app_version is given", YARD_KEY_APP_VERSION, false, false, false},
        {"an ordinary node", YARD_KEY_COUNT, true, false, false},
        {"nobody is named", YARD_KEY_COUNT, false, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fixture fx;
        yard_mirror mirror;
        init(&fx);
        if (rows[i].given != YARD_KEY_COUNT) {
            yard_config_set_flag(&fx.config, rows[i].given, "--flag", "11");
        }
        fx.node.seed_mode = !rows[i].no_seed;
        if (rows[i].nobody) {
            fx.node.seed_count = 0;
            fx.node.persistent_count = 0;
        }
        yard_mirror_init(&mirror, &fx.config, &fx.node);
        cr_expect_eq(yard_mirror_is_open(&mirror), rows[i].open, "%s", rows[i].name);
        yard_config_fini(&fx.config);
    }
}
