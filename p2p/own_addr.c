/* SPDX-License-Identifier: Apache-2.0 */
/* The address that NodeInfo advertises.  Neither wire tells a node how others see it, and who
 * listens at all addresses of a host does not know which of them is the one to tell: an outgoing
 * connection shows it, as long as there is no address translation in between. */
#include "p2p/switch_internal.h"

#include <string.h>

#include <switchyard/addr_source.h>

const char *sy_switch_listen_addr(const sy_switch *sw) {
    return sw->ours.listen_addr.data;
}

static void set_text(sy_switch *sw, const sy_endpoint *endpoint) {
    const size_t len = sy_endpoint_format(endpoint, sw->listen_text);
    sw->ours.listen_addr = (sy_text){sw->listen_text, len};
}

/* SPEC NI-20 */
void sy_own_addr_on_listen(sy_switch *sw, const sy_endpoint *bound) {
    if (sw->settings.listen_addr == NULL && sw->listener_count == 1) {
        sw->own_addr = *bound;
        sw->own_addr_learned = false;
        sw->own_addr_wanted = sy_endpoint_is_any(bound);
        sw->own_addr_v4_only = sy_endpoint_is_v4(bound);
        set_text(sw, bound);
    }
}

/* IPv4 is preferred, for more nodes can dial it; a host that moves is followed. */
static bool is_better(const sy_switch *sw, const sy_endpoint *local) {
    if (!sw->own_addr_learned) {
        return true;
    }
    if (sy_endpoint_is_v4(local) != sy_endpoint_is_v4(&sw->own_addr)) {
        return sy_endpoint_is_v4(local);
    }
    return !sy_endpoint_same_ip(local, &sw->own_addr);
}

/* SPEC NI-44 */
void sy_own_addr_on_connected(sy_switch *sw, const sy_endpoint *local) {
    if (!sw->own_addr_wanted || !sy_endpoint_is_routable(local) ||
        (sw->own_addr_v4_only && !sy_endpoint_is_v4(local)) || !is_better(sw, local)) {
        return;
    }
    const uint16_t port = sw->own_addr.port;
    sw->own_addr = *local;
    sw->own_addr.port = port;
    sw->own_addr_learned = true;
    set_text(sw, &sw->own_addr);
    SY_LOG(&sw->settings.log, SY_LOG_INFO, "switch", "advertising", sw->now,
           SY_F_STR("addr", sw->listen_text), SY_F_STR("from", "an outgoing connection"));
}
