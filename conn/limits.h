/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of conn/ with its reason.  docs/LIMITS.md is generated from these lines. */
#ifndef SY_CONN_LIMITS_H
#define SY_CONN_LIMITS_H

#define SY_FRAME_DATA_MAX     1024 /* bytes of data in one frame; fixed by the wire */
#define SY_FRAME_LEN          1028 /* plaintext frame: 4 bytes of length and the data area */
#define SY_FRAME_TAG_LEN      16   /* Poly1305 tag */
#define SY_SEALED_LEN         1044 /* frame on the wire */
#define SY_SEAL_BATCH         16   /* frames sealed at once; what a short write can leave behind */
#define SY_OPEN_BATCH         64 /* frames opened at once; bounds the plaintext area of the loop */
#define SY_EMPTY_FRAMES_MAX   16 /* empty frames in a row; legal but useless */
#define SY_EPH_MSG_MAX        40 /* ephemeral key message: 34 or 35 bytes when honest */
#define SY_AUTH_MSG_MAX       1024 /* authentication message: one frame (111 or 103 when honest) */
#define SY_PRE_AUTH_MAX       4096 /* bytes that a connection may cost before its peer is proven */

#define SY_PACKET_PAYLOAD_MAX 1024     /* default payload of a packet, both directions */
#define SY_PACKET_PAYLOAD_CAP 4194304  /* largest that may be configured */
#define SY_PACKET_OVERHEAD    32       /* around a payload, in a packet's announced length */
#define SY_PACKET_PREFIX_MAX  10       /* bytes of a length prefix, shortest form or not */
#define SY_MUX_BATCH_MESSAGES 1024     /* messages taken out of one batch; bounds a turn's work */
#define SY_MESSAGE_CAPACITY   22020096 /* default capacity of a channel: 21 MiB, both projects */
#define SY_CHANNELS_MAX       256      /* a channel id is one byte */

#define SY_PING_INTERVAL_S    60   /* both projects */
#define SY_PONG_TIMEOUT_S     45   /* both projects; must be smaller than the ping interval */
#define SY_PING_RATE          100  /* pings a second that are answered; the rest is coalesced */
#define SY_PING_BURST         1000 /* pings at once before a peer counts as flooding */

#endif
