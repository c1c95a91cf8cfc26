/* SPDX-License-Identifier: Apache-2.0 */
/* The judge that is an ABCI application: its address, its connection on the switch's driver, and
 * what is said about both.  The conversation itself is abci_client.h.
 *
 * Its stream has a slot of the switch like a connection between peers, so that every driver can
 * name it; the slot holds no link.
 *
 * SPEC AB-12 AB-13 AB-14 AB-15 */
#include "p2p/app.h"

#include <string.h>

#include <switchyard/assert.h>

#include "p2p/abci_client.h"
#include "p2p/lookup.h"

#define OUT_CAP ((size_t)8 * SY_ABCI_REQUEST_MAX)

struct sy_app {
    sy_switch *sw; /* owner */
    sy_app_address address;
    char text[SY_HOST_MAX + 32]; /* of it, for the log */
    sy_abci_client client;
    uint32_t slot;
    uint32_t generation; /* of the stream that is open; 0: none ever was */
    void *stream;        /* the driver's; NULL: none */
    bool blocked;        /* it took less than given; on_writable will come */
    sy_resolve_ref lookup;
    sy_endpoint endpoints[SY_RESOLVE_MAX]; /* of its name, in the order of the attempts */
    size_t endpoint_count;
    size_t endpoint_at;
    uint8_t out[OUT_CAP]; /* what the stream has not taken */
    size_t out_len;
    bool is_running;
    bool was_ready;    /* in this stream */
    uint32_t failures; /* attempts in a row that came to nothing */
    sy_detail trouble; /* the last one; empty: none */
    sy_timer timer;
};

/* ---- Address and settings ----------------------------------------------------------------------
 */

static bool begins_with(const char *text, size_t len, const char *prefix) {
    const size_t prefix_len = strlen(prefix);
    return len >= prefix_len && memcmp(text, prefix, prefix_len) == 0;
}

static sy_err parse_local(const char *path, size_t len, sy_app_address *ret_address,
                          sy_detail *detail) {
    if (len == 0 || len > SY_LOCAL_PATH_MAX || memchr(path, '\0', len) != NULL) {
        sy_detail_set(detail, "the path of a local socket has 1 to %d bytes", SY_LOCAL_PATH_MAX);
        return SY_ERR_INVALID;
    }
    *ret_address = (sy_app_address){.is_local = true};
    memcpy(ret_address->path, path, len);
    return SY_OK;
}

sy_err sy_app_address_parse(const char *text, size_t len, sy_app_address *ret_address,
                            sy_detail *detail) {
    static const char tcp[] = "tcp://";
    static const char local[] = "unix://";
    if (begins_with(text, len, local)) {
        return parse_local(text + sizeof local - 1, len - (sizeof local - 1), ret_address, detail);
    }
    const bool has_scheme = begins_with(text, len, tcp);
    const char *rest = has_scheme ? text + sizeof tcp - 1 : text;
    const size_t rest_len = has_scheme ? len - (sizeof tcp - 1) : len;
    if (rest_len == 0 || memchr(rest, ':', rest_len) == NULL) {
        sy_detail_clear(detail);
        sy_detail_quote(detail, text, len);
        sy_detail_add(detail,
                      " names no application with a socket: tcp://HOST:PORT or unix://PATH");
        return SY_ERR_INVALID;
    }
    for (size_t i = 0; i + 2 < rest_len; i++) {
        if (memcmp(rest + i, "://", 3) == 0) {
            sy_detail_set(detail, "only tcp:// and unix://");
            return SY_ERR_INVALID;
        }
    }
    sy_app_address address = {.is_local = false};
    const sy_err err = sy_addr_parse(rest, rest_len, SY_ADDR_ID_OPTIONAL, &address.addr, detail);
    if (err != SY_OK) {
        return err;
    }
    if (address.addr.has_id) {
        sy_detail_set(detail, "an application has no ID");
        return SY_ERR_INVALID;
    }
    *ret_address = address;
    return SY_OK;
}

void sy_app_filter_default_sized(sy_app_filter_settings *settings, size_t size) {
    SY_REQUIRE(size <= sizeof *settings);
    const sy_app_filter_settings defaults = {
        .size = size,
        .dialect = SY_ABCI_AUTO,
        .timeout = 5 * SY_SEC,
        .unanswered = SY_UNANSWERED_REFUSE,
    };
    memcpy(settings, &defaults, size);
}

static void format_address(const sy_app_address *address, char *out, size_t cap) {
    char text[SY_ADDR_TEXT_CAP];
    sy_detail cut;
    if (address->is_local) {
        sy_detail_set(&cut, "unix://%s", address->path);
    } else {
        (void)sy_addr_format(&address->addr, text);
        sy_detail_set(&cut, "tcp://%s", text);
    }
    const size_t len = strnlen(cut.text, cap - 1);
    memcpy(out, cut.text, len);
    out[len] = '\0';
}

/* ---- The stream --------------------------------------------------------------------------------
 */

static void refresh_timer(sy_app *app) {
    sy_timers_set(&app->sw->timers, &app->timer, sy_abci_client_next_expiry(&app->client));
}

static void close_stream(sy_app *app) {
    if (app->stream != NULL) {
        void *stream = app->stream;
        app->stream = NULL;
        app->sw->ops.stream_close(app->sw->driver, stream, false);
    }
    if (app->lookup.generation != 0) {
        const sy_resolve_ref ref = app->lookup;
        app->lookup = (sy_resolve_ref){0, 0};
        sy_lookup_cancel(app->sw, ref);
    }
    app->out_len = 0;
    app->blocked = false;
}

/* SPEC AB-15: the first failures one by one, later ones at 4, 8, 16 ...; that a dialect was not
 * understood is news only when all were tried. */
static void log_failure(sy_app *app, sy_err code) {
    sy_switch *sw = app->sw;
    const bool lost = app->was_ready;
    const uint32_t n = app->failures;
    const bool tries_on = app->client.at != 0;
    const bool worth = lost || (!tries_on && (n <= 2 || (n & (n - 1)) == 0));
    SY_LOG(&sw->settings.log, worth ? SY_LOG_WARN : SY_LOG_DEBUG, "app",
           lost ? "application_lost" : "application_unreachable", sw->now,
           SY_F_STR("addr", app->text), SY_F_STR("reason", sy_err_name(code)),
           SY_F_STR("detail", app->trouble.text),
           SY_F_STR("peers", sw->judge_settings.unanswered == SY_UNANSWERED_REFUSE
                                 ? "new ones are refused meanwhile"
                                 : "new ones are admitted meanwhile"),
           SY_F_U64("in_a_row", n));
}

static void give_up_stream(sy_app *app, sy_err code, const sy_detail *detail) {
    sy_switch *sw = app->sw;
    close_stream(app);
    sy_abci_client_on_closed(&app->client, sw->now);
    if (detail != NULL && detail->text[0] != '\0') {
        app->trouble = *detail;
    } else {
        sy_detail_set(&app->trouble, "%s", sy_strerror(code));
    }
    app->failures += !app->was_ready && app->client.at == 0;
    log_failure(app, code);
    app->was_ready = false;
    refresh_timer(app);
}

static void connect_to(sy_app *app) {
    sy_switch *sw = app->sw;
    app->generation = ++sw->generations[app->slot];
    const sy_stream_ref ref = {app->slot, app->generation};
    const sy_err err =
        app->address.is_local
            ? sw->ops.stream_connect_local(sw->driver, ref, app->address.path, &app->stream)
            : sw->ops.stream_connect(sw->driver, ref, &app->endpoints[app->endpoint_at],
                                     &app->stream);
    if (err != SY_OK) {
        app->stream = NULL;
        give_up_stream(app, err, NULL);
    }
}

/* SPEC AB-12: a name is looked up for each attempt, and its addresses are taken in turn. */
static void open_stream(sy_app *app) {
    sy_switch *sw = app->sw;
    const sy_addr *addr = &app->address.addr;
    sy_abci_client_on_opening(&app->client, sw->now);
    app->was_ready = false;
    if (!app->address.is_local && !addr->is_ip) {
        const sy_err err = sy_lookup_for_app(sw, addr->host, &app->lookup);
        if (err != SY_OK) {
            give_up_stream(app, err, NULL);
        }
        return;
    }
    if (!app->address.is_local) {
        app->endpoints[0] = addr->endpoint;
        app->endpoints[0].port = addr->port;
        app->endpoint_count = 1;
        app->endpoint_at = 0;
    }
    connect_to(app);
}

void sy_app_on_resolved(sy_switch *sw, const sy_endpoint *endpoints, size_t count) {
    sy_app *app = sw->app;
    sy_detail detail;
    if (app == NULL || app->lookup.generation == 0) {
        return;
    }
    app->lookup = (sy_resolve_ref){0, 0};
    if (count == 0) {
        sy_detail_set(&detail, "%s: no address", app->address.addr.host);
        give_up_stream(app, SY_ERR_RESOLVE, &detail);
        return;
    }
    app->endpoint_count = count < SY_RESOLVE_MAX ? count : SY_RESOLVE_MAX;
    app->endpoint_at = (app->endpoint_at + 1) % app->endpoint_count;
    for (size_t i = 0; i < app->endpoint_count; i++) {
        app->endpoints[i] = endpoints[i];
        app->endpoints[i].port = app->address.addr.port;
    }
    connect_to(app);
    refresh_timer(app);
}

static void flush(sy_app *app) {
    sy_switch *sw = app->sw;
    while (app->stream != NULL && !app->blocked) {
        size_t written = 0;
        if (app->out_len == 0) {
            sy_abci_client_send(&app->client, app->out, sizeof app->out, &app->out_len, sw->now);
        }
        if (app->out_len == 0) {
            break;
        }
        const sy_err err =
            sw->ops.stream_write(sw->driver, app->stream, app->out, app->out_len, false, &written);
        if (err != SY_OK) {
            give_up_stream(app, err, NULL);
            return;
        }
        app->blocked = written < app->out_len;
        app->out_len -= written;
        memmove(app->out, app->out + written, app->out_len);
    }
}

/* ---- Reports of the driver ---------------------------------------------------------------------
 */

bool sy_app_owns(const sy_switch *sw, sy_stream_ref ref) {
    const sy_app *app = sw->app;
    return app != NULL && app->stream != NULL && ref.slot == app->slot &&
           ref.generation == app->generation;
}

void sy_app_on_connected(sy_switch *sw) {
    if (sw->app->client.state == SY_ABCI_OPENING) {
        sy_abci_client_on_open(&sw->app->client, sw->now);
        refresh_timer(sw->app);
    }
}

void sy_app_on_connect_failed(sy_switch *sw, sy_err err, const sy_detail *detail) {
    sw->app->stream = NULL; /* gone on the driver's side */
    give_up_stream(sw->app, err, detail);
}

static void say_ready(sy_app *app) {
    app->was_ready = true;
    app->failures = 0;
    sy_detail_clear(&app->trouble);
    SY_LOG(&app->sw->settings.log, SY_LOG_INFO, "app", "application_ready", app->sw->now,
           SY_F_STR("addr", app->text),
           SY_F_STR("dialect", sy_abci_dialect_name(sy_abci_client_dialect(&app->client))));
}

static void pass_on(sy_app *app, const sy_abci_event *event) {
    sy_detail why;
    const char *what = event->ref.kind == SY_ASK_ADDR ? "address" : "ID";
    if (event->verdict == SY_VERDICT_REFUSE) {
        sy_detail_set(&why, "the application refuses the %s: code %u", what, event->code);
    } else {
        sy_detail_set(&why, "the application fails at the %s", what);
    }
    if (event->text.len > 0) {
        sy_detail_add(&why, ", ");
        sy_detail_quote(&why, event->text.data, event->text.len);
    }
    (void)sy_switch_answer(app->sw, event->ref, event->verdict, &why, app->sw->now);
}

bool sy_app_on_readable(sy_switch *sw, const uint8_t *data, size_t len) {
    sy_app *app = sw->app;
    size_t taken = 0;
    if (app->client.state == SY_ABCI_OPENING) {
        return true; /* not connected, says the driver: nothing to read */
    }
    for (;;) {
        sy_abci_event event;
        sy_detail detail;
        size_t used = 0;
        sy_detail_clear(&detail);
        const sy_err err = sy_abci_client_recv(&app->client, data + taken, len - taken, &used,
                                               &event, &detail, sw->now);
        if (err != SY_OK) {
            give_up_stream(app, err, &detail);
            return false;
        }
        taken += used;
        if (event.kind == SY_ABCI_EVENT_READY) {
            say_ready(app);
        } else if (event.kind == SY_ABCI_EVENT_ANSWER) {
            pass_on(app, &event);
        } else if (taken == len) {
            break;
        }
    }
    refresh_timer(app);
    return true;
}

void sy_app_on_read_end(sy_switch *sw, sy_err err) {
    sy_detail detail;
    sy_detail_set(&detail, "%s%s", sy_strerror(err),
                  sw->app->was_ready ? "" : ", without an answer");
    give_up_stream(sw->app, err, &detail);
}

void sy_app_on_writable(sy_switch *sw) {
    sw->app->blocked = false;
}

/* ---- Turns and time ----------------------------------------------------------------------------
 */

void sy_app_turn_end(sy_switch *sw) {
    if (sw->app != NULL && sw->app->is_running) {
        flush(sw->app);
        refresh_timer(sw->app);
    }
}

void sy_app_on_timer(sy_switch *sw) {
    sy_app *app = sw->app;
    sy_detail detail;
    sy_detail_clear(&detail);
    if (!app->is_running) {
        return;
    }
    const sy_err err = sy_abci_client_on_expiry(&app->client, &detail, sw->now);
    if (err != SY_OK) {
        give_up_stream(app, err, &detail);
    }
    if (sy_abci_client_wants_stream(&app->client, sw->now)) {
        open_stream(app);
    }
    refresh_timer(app);
}

void sy_app_start(sy_switch *sw) {
    if (sw->app != NULL) {
        sw->app->is_running = true;
        sy_timers_set(&sw->timers, &sw->app->timer, sw->now);
    }
}

void sy_app_stop(sy_switch *sw) {
    sy_app *app = sw->app;
    if (app != NULL && app->is_running) {
        app->is_running = false;
        close_stream(app);
        if (app->client.state != SY_ABCI_WAITING) {
            sy_abci_client_on_closed(&app->client, sw->now);
        }
        sy_timers_clear(&sw->timers, &app->timer);
    }
}

/* ---- The judge ---------------------------------------------------------------------------------
 */

static sy_verdict ask(void *judge, const sy_question *question, sy_detail *why, sy_time now) {
    sy_app *app = judge;
    (void)now;
    if (sy_abci_client_ask(&app->client, question) != SY_OK) {
        sy_detail_set(why, "%d questions wait for the application", SY_ABCI_QUESTIONS_MAX);
        return SY_VERDICT_NONE;
    }
    return SY_VERDICT_PENDING;
}

static void cancel(void *judge, sy_question_ref ref, sy_detail *why, sy_time now) {
    sy_app *app = judge;
    (void)now;
    sy_abci_client_cancel(&app->client, ref);
    if (app->client.state != SY_ABCI_READY) {
        sy_detail_add(why, "; it cannot be reached: %s", app->trouble.text);
    }
}

static const sy_judge_ops judge_ops = {
    .size = sizeof(sy_judge_ops),
    .name = "the application",
    .ask = ask,
    .cancel = cancel,
};

static sy_err check(const sy_switch *sw, const sy_app_filter_settings *settings,
                    sy_app_address *ret_address, sy_detail *detail) {
    if (settings->address == NULL) {
        sy_detail_set(detail, "proxy_app: required");
        return SY_ERR_CONFIG;
    }
    sy_detail why;
    sy_detail_clear(&why);
    if (sy_app_address_parse(settings->address, strlen(settings->address), ret_address, &why) !=
        SY_OK) {
        sy_detail_set(detail, "proxy_app: %s", why.text);
        return SY_ERR_CONFIG;
    }
    if (ret_address->is_local && sw->ops.stream_connect_local == NULL) {
        sy_detail_set(detail, "proxy_app: this driver has no local sockets");
        return SY_ERR_CONFIG;
    }
    if ((size_t)settings->dialect > SY_ABCI_AUTO || settings->timeout == 0) {
        sy_detail_set(detail, "abci_dialect, filter_timeout: out of range");
        return SY_ERR_CONFIG;
    }
    return SY_OK;
}

static sy_err app_new(sy_switch *sw, const sy_app_filter_settings *settings,
                      const sy_app_address *address, sy_app **ret_app) {
    uint64_t seed;
    const sy_abci_dialect first =
        sw->profiles[0]->codec == SY_NODE_INFO_AMINO ? SY_ABCI_0_22 : SY_ABCI_0_38;
    sy_app *app = sy_mem_zalloc(&sw->mem, sizeof *app);
    if (app == NULL) {
        return SY_ERR_NOMEM;
    }
    sw->ops.random(sw->driver, &seed, sizeof seed);
    sy_err err = sy_abci_client_init(&app->client, settings->dialect, first, &sw->mem, &sw->memory,
                                     seed, sw->now);
    if (err == SY_OK && !sy_slot_take(sw, &app->slot)) {
        sy_abci_client_fini(&app->client);
        err = SY_ERR_NOMEM;
    }
    if (err != SY_OK) {
        sy_mem_release(&sw->mem, app);
        return err;
    }
    app->sw = sw;
    app->address = *address;
    format_address(address, app->text, sizeof app->text);
    sy_detail_set(&app->trouble, "not connected yet");
    sy_timer_init(&app->timer, SY_TIMER_APP);
    *ret_app = app;
    return SY_OK;
}

sy_err sy_switch_set_app_filter(sy_switch *sw, const sy_app_filter_settings *settings,
                                sy_detail *detail) {
    SY_REQUIRE(settings != NULL && settings->size == sizeof *settings);
    sy_app_address address;
    sy_app *app;
    sy_judge_settings judge_settings;

    if (sw->state != SY_SWITCH_NEW || sw->judge_ops != NULL) {
        sy_detail_set(detail, "started, or there is a filter of this kind");
        return SY_ERR_STATE;
    }
    sy_err err = check(sw, settings, &address, detail);
    if (err != SY_OK) {
        return err;
    }
    err = app_new(sw, settings, &address, &app);
    if (err != SY_OK) {
        return err;
    }
    sy_judge_settings_default(&judge_settings);
    judge_settings.timeout = settings->timeout;
    judge_settings.unanswered = settings->unanswered;
    err = sy_switch_set_judge(sw, &judge_ops, app, &judge_settings);
    SY_ASSERT(err == SY_OK);
    sw->app = app;
    return SY_OK;
}

void sy_app_del(sy_switch *sw) {
    sy_app *app = sw->app;
    if (app == NULL) {
        return;
    }
    sy_app_stop(sw);
    sy_abci_client_fini(&app->client);
    sy_mem_release(&sw->mem, app);
    sw->app = NULL;
}
