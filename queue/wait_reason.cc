#include "queue/wait_reason.h"

#include <cstddef>

namespace outbox::queue {
namespace {

constexpr WaitReasonInfo kReasonTable[kWaitReasons] = {
    {WaitReason::kNone, "none", "nothing: it is about to go", "the next turn of its destination"},
    {WaitReason::kBackoff, "backoff", "the host was not well, and is left alone for a time",
     "the end of that time, or `outbox retry`; then one message goes first"},
    {WaitReason::kUser, "user", "the host does not let us in as the user of the route (auth_user)",
     "the right secret, or a host that takes it, and `outbox reload`; else one message tries again "
     "at the end of the time"},
    {WaitReason::kCanary, "canary",
     "one message has gone first, to see whether the host is well again",
     "the outcome of that one"},
    {WaitReason::kSlowStart, "slow_start",
     "the host was not well a while ago: its connections grow one by one",
     "each message that it takes, up to the limit of the site"},
    {WaitReason::kConnections, "connections", "all connections that the site may have are in use",
     "the next one that is free; the limit is max_connections of its [[site]], its route or "
     "[delivery]"},
    {WaitReason::kOutbound, "outbound",
     "all outbound connections that this relay may have are in use, and it is in line for one",
     "the next one that ends; the limit is connections_out of [limits]"},
    {WaitReason::kShortage, "shortage", "this machine is short of descriptors, memory or ports",
     "the machine: it is tried again every second"},
    {WaitReason::kPace, "pace", "its connections are at work on what came before",
     "the end of that"},
    {WaitReason::kRate, "rate", "the rate of the site allows no more messages for now",
     "time; the limit is max_rate of its [[site]]"},
    {WaitReason::kResolving, "resolving", "the DNS is being asked for its hosts", "the answer"},
    {WaitReason::kUnresolved, "unresolved", "the DNS does not tell its hosts for now",
     "the DNS, which is asked again by itself, or at once by `outbox retry`"},
    {WaitReason::kUnrouted, "unrouted", "its route names no host to send to",
     "a route for it in the configuration, and `outbox reload`"},
    {WaitReason::kSource, "source",
     "the address that it is to be sent from is not on this machine, or reaches none of its hosts",
     "that address, which is looked for once a minute; or another one, or another source, and "
     "`outbox reload`"},
    {WaitReason::kSuspended, "suspended", "an operator has suspended it",
     "`outbox resume`, or the end of its time if it has one"},
    {WaitReason::kPaused, "paused", "a reply of the host has suspended its site (on_reply)",
     "the end of that time, or `outbox resume --site`; then one message goes first"},
    {WaitReason::kSlowed, "slowed", "a reply of the host has lowered what its site gets (on_reply)",
     "time, or `outbox resume --site`; it recovers by itself"},
    {WaitReason::kRetry, "retry", "the last attempt failed, and its retry period is not over",
     "the end of the period, or `outbox retry`"},
    {WaitReason::kReply, "reply", "it is being sent, and the host has not answered yet",
     "the answer, or the end of our patience with the host"},
    {WaitReason::kNotice, "notice", "the notice to its sender is being stored", "the disk"},
    {WaitReason::kReroute, "reroute", "an operator has routed it again, and its message with it",
     "the end of what is being sent of the message, and then the disk"},
    {WaitReason::kHeldByRoute, "held_by_route", "it is held by its route", "`outbox release`"},
    {WaitReason::kHeldByOperator, "held_by_operator", "it is held by an operator",
     "`outbox release`"},
    {WaitReason::kPurged, "purged", "an operator has purged it: it is removed for good in time",
     "`outbox undo`, before that"},
};

}  // namespace

std::span<const WaitReasonInfo> WaitReasonTable() { return kReasonTable; }

const WaitReasonInfo& InfoOf(WaitReason reason) {
  return kReasonTable[static_cast<size_t>(reason)];
}

}  // namespace outbox::queue
