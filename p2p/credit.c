/* SPDX-License-Identifier: Apache-2.0 */
/* SPEC RX-20 RX-21 RX-22 */
#include "p2p/credit.h"

#include <switchyard/assert.h>

void sy_credit_init(sy_credit *credit, const sy_channel_desc *desc, bool remote_has) {
    *credit = (sy_credit){
        .messages_max = desc->send_queue_max,
        .bytes_max = desc->send_queue_bytes_max,
        .message_max = desc->recv_message_max,
        .open = remote_has,
    };
}

sy_send_result sy_credit_ask(sy_credit *credit, size_t len) {
    if (!credit->open || len > credit->message_max || len > credit->bytes_max) {
        return SY_SEND_REFUSED;
    }
    const size_t messages = credit->posted_messages + credit->queued_messages;
    const size_t bytes = credit->posted_bytes + credit->queued_bytes;
    if (messages >= credit->messages_max || bytes > credit->bytes_max - len) {
        credit->wanted = true;
        return SY_SEND_FULL;
    }
    return SY_SEND_QUEUED;
}

sy_send_result sy_credit_post(sy_credit *credit, sy_mail *mail) {
    const size_t len = sy_msg_len(mail->msg);
    const sy_send_result result = sy_credit_ask(credit, len);
    if (result != SY_SEND_QUEUED) {
        return result;
    }
    mail->next = NULL;
    if (credit->first == NULL) {
        credit->first = mail;
    } else {
        credit->last->next = mail;
    }
    credit->last = mail;
    credit->posted_messages++;
    credit->posted_bytes += len;
    return SY_SEND_QUEUED;
}

sy_mail *sy_credit_peek(const sy_credit *credit) {
    return credit->first;
}

sy_mail *sy_credit_drop(sy_credit *credit) {
    sy_mail *mail = credit->first;
    SY_ASSERT(mail != NULL);
    const size_t len = sy_msg_len(mail->msg);
    SY_ASSERT(credit->posted_messages > 0 && credit->posted_bytes >= len);
    credit->first = mail->next;
    if (credit->first == NULL) {
        credit->last = NULL;
    }
    credit->posted_messages--;
    credit->posted_bytes -= len;
    mail->next = NULL;
    return mail;
}

sy_mail *sy_credit_take(sy_credit *credit) {
    sy_mail *mail = sy_credit_drop(credit);
    credit->queued_messages++;
    credit->queued_bytes += sy_msg_len(mail->msg);
    return mail;
}

bool sy_credit_publish(sy_credit *credit, size_t queued_messages, size_t queued_bytes) {
    credit->queued_messages = queued_messages;
    credit->queued_bytes = queued_bytes;
    const size_t messages = credit->posted_messages + queued_messages;
    const size_t bytes = credit->posted_bytes + queued_bytes;
    if (!credit->wanted || messages > credit->messages_max / 2 || bytes > credit->bytes_max / 2) {
        return false;
    }
    credit->wanted = false;
    return true;
}

void sy_credit_close(sy_credit *credit) {
    credit->open = false;
    credit->wanted = false;
}
