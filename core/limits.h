// The bounds of everything, and what happens at each.
//
// Nothing in Outbox grows without a bound that someone chose: a constant here, or a value of the
// configuration whose default is here. Units are last in the name.
#ifndef OUTBOX_CORE_LIMITS_H_
#define OUTBOX_CORE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace outbox::core {

// --- Shards ---

// More cores than this stay unused: masks of shards are one 64-bit word, and there is a mailbox for
// every ordered pair.
inline constexpr uint32_t kMaxShards = 64;
// Entries of one mailbox (one ordered pair of shards). A full mailbox keeps the item waiting with
// its sender, in order; no loop stops.
inline constexpr size_t kMailboxCapacity = 1024;
// Entries taken out of one inbound mailbox a turn; the rest waits for the next turn.
inline constexpr size_t kMailboxDrainPerTurn = 256;
// Timers fired or moved to a finer wheel level a turn; the rest waits for the next turn, which
// follows at once.
inline constexpr uint32_t kTimerWorkPerTurn = 1024;
// Timer nodes of a shard: one a ticket, session and destination. At the bound Add fails and the
// owner refuses what it wanted the timer for.
inline constexpr uint32_t kMaxTimersPerShard = 1u << 26;

// --- smtp ---

// RFC 5321 4.5.4.2: where mail is handed over between hosts.
inline constexpr uint16_t kSmtpPort = 25;
// Where LMTP servers are, by custom; RFC 2033 5 forbids them the port above.
inline constexpr uint16_t kLmtpPort = 24;

// Octets of a command line, CRLF included. RFC 5321 4.5.3.1.4 asks for 512 and more for extensions:
// for RCPT with RFC 3461 1,040, for MAIL with RFC 1870, 3461, 4954, 6152 and 6531 some 1,200. A
// longer line is read to its end, dropped, and answered 500 5.5.2.
inline constexpr size_t kSmtpCommandLineMax = 1280;
// Recipients of one transaction by default; the next ones get 452 4.5.3. RFC 5321 4.5.3.1.8: 100 or
// more.
inline constexpr uint32_t kSmtpRecipientsMax = 1000;
// Refused commands since the last accepted message by default; at the next one the session is
// closed with 421.
inline constexpr uint32_t kSmtpErrorsMax = 20;
// Commands that bring mail no further (NOOP, RSET, VRFY, HELP, EHLO) since the last accepted
// message; each one above counts as an error.
inline constexpr uint32_t kSmtpIdleCommandsMax = 100;
// Octets of a line of text by default, without CRLF. RFC 5321 asks for 998 and real mail has longer
// ones, which are passed on as they are; a message with a line above this is refused, 550 5.6.0.
inline constexpr uint64_t kSmtpTextLineOctetsMax = 65536;
// A user's name and password in octets, RFC 4616 and crypt(3); longer ones are refused, 500 5.5.6.
inline constexpr size_t kAuthUserBytes = 255;
inline constexpr size_t kAuthPasswordBytes = 511;
// Failed authentications of a session; at the last one it is closed with 421.
inline constexpr uint32_t kSmtpAuthFailuresMax = 5;
// Received headers by default; a message with more is in a loop (RFC 5321 6.3) and refused,
// 554 5.4.6.
inline constexpr uint32_t kSmtpReceivedHeadersMax = 100;
// A message that is refused already is read on to its end, so that the client gets the reply and
// not a broken connection; but no further than this many bytes: then the connection is closed.
inline constexpr uint64_t kSmtpDrainBytesMax = uint64_t{256} << 20;
// Room for the longest reply that the server session writes in one step.
inline constexpr size_t kSmtpReplyRoom = 1024;

// Replies or commands of one connection that wait to be sent; when they are full nothing more is
// read until they have been.
inline constexpr size_t kSmtpOutputBytes = 4096;
// Blocks of that size that a shard keeps for reuse; the others go back to the system.
inline constexpr size_t kSmtpBlocksKept = 256;
// How long a connection that was closed for a reason goes on reading (and dropping) what the client
// sends, so that the reply that says why is not lost by a reset.
inline constexpr int64_t kSmtpLingerNs = int64_t{2} * 1'000'000'000;

// Octets of a reply's text that the client keeps; the rest is dropped, the reply stays valid.
inline constexpr size_t kReplyTextMax = 512;
// Octets of one reply line, line end included; a longer one is a protocol error and ends the
// session.
inline constexpr size_t kReplyLineOctetsMax = 4096;
// Lines of one reply; one more is a protocol error and ends the session.
inline constexpr size_t kReplyLinesMax = 128;
// Recipients of one transaction of the client; as many as a ticket holds.
inline constexpr size_t kClientRecipientsMax = 64;
// A prefix (added header fields) up to this many octets is copied to the commands that leave with
// it; a longer one is sent from where it lies.
inline constexpr size_t kClientPrefixCopyMax = 2048;
// What sessions of a shard whose peers do not read may keep of their messages, so that the windows
// that these were lent from are free for others; beyond it they keep the windows.
inline constexpr size_t kSmtpStalledBytes = size_t{64} << 20;
// Messages up to this size go by BDAT together with their envelope: what is sent in vain when
// every recipient is refused is bounded by it.
inline constexpr uint64_t kClientAheadBytes = 64 * 1024;
// Pieces of one send, which the dots that are left out cut a body into (the kernel takes 1,024); a
// window with more of them is copied.
inline constexpr size_t kSendPartsMax = 1000;
// Hosts that offer CHUNKING and do not know BDAT, which get DATA from a shard for a while; at the
// bound the one that was met first is tried again. And how long.
inline constexpr size_t kDataHosts = 4096;
inline constexpr int64_t kDataHostNs = int64_t{3600} * 1'000'000'000;
// Room for the longest command that the client session writes, and for one with parameters of RFC
// 3461: as long as those that came in a line of kSmtpCommandLineMax.
inline constexpr size_t kClientCommandMax = 512;
// The same for the longest line of an AUTH exchange: a user and a secret of the longest, in base64.
inline constexpr size_t kClientAuthMax = 2048;
inline constexpr size_t kClientDsnCommandMax = kClientCommandMax + kSmtpCommandLineMax;

// --- TLS ---

// A client's handshake takes no longer than this; then it is left.
inline constexpr int64_t kTlsHandshakeNs = int64_t{60} * 1'000'000'000;
// Servers whose sessions a shard can resume, some 4 KiB each; the one that was not spoken to for
// the longest makes room.
inline constexpr size_t kTlsServersKept = 2048;
// And what these sessions may keep, most of it tickets and certificates of servers, which say how
// large they are: of all, likewise, and of one, beyond which it is not kept.
inline constexpr size_t kTlsSessionsBytes = size_t{64} << 20;
inline constexpr size_t kTlsSessionBytes = size_t{128} << 10;
// Certificates between a server's own and one that we trust. To try more would be work that a
// server orders; with a longer chain it is not verified.
inline constexpr int kTlsChainDepth = 10;
// Hosts that a shard speaks to in plain text for a while, since a handshake with them has failed;
// at the bound the one that failed first is tried again. And how long.
inline constexpr size_t kTlsPlainHosts = 4096;
inline constexpr int64_t kTlsPlainNs = int64_t{600} * 1'000'000'000;
// Certificates of one listener, and the bytes of a file with certificates or a key.
inline constexpr size_t kConfigCertificates = 64;
inline constexpr size_t kTlsFileBytes = size_t{4} << 20;
// The memory that all private keys share, those of DKIM as well (core/key_memory.h): some 8 KiB
// each. Beyond it a key cannot be had, and what was there goes on.
inline constexpr size_t kKeyMemoryBytes = size_t{128} << 20;
// How often these files are looked at. A change counts when two looks have seen the same.
inline constexpr int64_t kTlsFilesLookNs = int64_t{2} * 1'000'000'000;

// --- Authentication of clients ---

// A file of users; a larger one is refused with an error. And the senders that one of them has.
inline constexpr size_t kUserFileBytes = size_t{16} << 20;
inline constexpr size_t kUserSenders = 1000;
// Clients of a shard whose password waits to be looked at; one more gets 454 4.7.0.
inline constexpr uint32_t kAuthWaitingMax = 64;
// The answer to a wrong password is held back for a second, and twice as long after each further
// one from the same address, up to this.
inline constexpr int64_t kAuthDelayNs = int64_t{1} * 1'000'000'000;
inline constexpr int64_t kAuthDelayMaxNs = int64_t{10} * 1'000'000'000;
// Addresses whose failures are counted, a power of two; at the bound the one whose last failure is
// the oldest of its neighbours is forgotten. And the largest [auth] max_failures.
inline constexpr size_t kAuthFailureEntries = size_t{1} << 14;
inline constexpr uint32_t kAuthFailuresMax = 200;

// --- Messages ---

// The largest max_recipients: the envelope, and the state of as many recipients that all fare
// differently, fit into one record of the spool.
inline constexpr uint32_t kMaxRecipients = 2'000;
// Size of one message in octets as RFC 1870 counts them; 552 5.3.4. Default and maximum of
// max_size, which keeps sizes within 32 bits.
inline constexpr uint64_t kDefaultMessageBytes = uint64_t{50} << 20;
inline constexpr uint64_t kMaxMessageBytes = uint64_t{2} << 30;

// --- Connections ---

// Inbound sessions of a listener and of one client address; 421 4.7.0 beyond. Defaults of
// max_connections and max_connections_per_client.
inline constexpr uint32_t kDefaultConnectionsIn = 1000;
inline constexpr uint32_t kDefaultConnectionsPerClient = 100;
inline constexpr uint32_t kMaxConnectionsIn = 100'000;
// Outbound connections to one site over all shards; tickets wait beyond. Default and maximum of
// [delivery] max_connections.
inline constexpr uint32_t kDefaultConnectionsPerSite = 20;
inline constexpr uint32_t kMaxConnectionsPerSite = 10'000;
// Outbound connections in all, where the descriptors allow that many; destinations stand in line
// beyond. Default and maximum of [limits] connections_out.
inline constexpr uint32_t kDefaultConnectionsOut = 20'000;
inline constexpr uint32_t kMaxConnectionsOut = 200'000;

// --- The queue ---

// Recipients of one ticket: its mask is one 64-bit word. More for one destination make more
// tickets.
inline constexpr uint32_t kTicketRecipients = 64;
// Tickets of one shard's messages. Near the bound new mail gets 452; the rest of the room is for
// what splits off and for DSNs.
inline constexpr uint32_t kMaxTicketsPerShard = 1u << 24;
inline constexpr uint32_t kTicketsForNewMail = kMaxTicketsPerShard / 2;
// Messages of one shard that are being received at once; 452 above. Each has its envelope and at
// most kSmallBodyBytes of body in memory of its own.
inline constexpr uint32_t kDraftsPerShard = 16'384;
inline constexpr size_t kSmallBodyBytes = 16 * 1024;
// Blocks for bodies above that, of kInlineBodyBytesMax each; who gets none writes to extents.
inline constexpr uint32_t kBodyBlocksMax = 128;
// Recipients that one DSN is about, give or take a ticket; more make another DSN. With the state of
// the message that is committed together with it, it stays below kRecordBytesMax.
inline constexpr uint32_t kNoticeRecipients = 64;
// A state snapshot of a message with the words of its peers; a larger one is written without them.
inline constexpr size_t kStateBytesMax = 96u << 10;
// Sites that the shared table holds, a power of two. When it is full, backoffs of sites that no
// mail waits for are forgotten; when all are in use, mail for a new one waits until one is left.
inline constexpr uint32_t kMaxSites = 1u << 16;
// Ready tickets of a destination above which lanes open (docs/architecture.md, "Shards, home,
// tickets").
inline constexpr uint32_t kLaneReadyTickets = 1000;
// Addresses tried in one attempt; then the ticket is deferred.
inline constexpr uint32_t kHostsPerAttempt = 10;
// How long the hosts of an earlier answer are used while the DNS gives none; then new mail waits.
inline constexpr int64_t kStaleHostsNs = int64_t{3600} * 1'000'000'000;
// While more mail than connections waits, the DNS is asked again no more often than this, however
// short the TTL.
inline constexpr int64_t kHostsRefreshNs = int64_t{60} * 1'000'000'000;
// Tickets of a destination that become ready, or are returned, in a turn when the DNS has answered;
// the rest waits for the next tick.
inline constexpr uint32_t kSettledTicketsPerTurn = 2'000;

// Multiparts within each other in a message that is made fit for a 7-bit host; a deeper one is not.
inline constexpr size_t kMimeDepthMax = 32;

// The beginning of a header section, in which routes look for fields; the rest is not looked at.
inline constexpr size_t kRouteHeaderBytes = 64u << 10;

// --- Local mail ---

// A file of mailboxes; a larger one is not read, and the list stays as it was.
inline constexpr size_t kMailboxFileBytes = size_t{16} << 20;
// How often it is looked at. A change counts when two looks have seen the same.
inline constexpr int64_t kMailboxFileLookNs = int64_t{2} * 1'000'000'000;
// Recipients of a shard that wait for the LMTP server's word at one time; one more gets 451.
inline constexpr uint32_t kMailboxQuestionsMax = 4096;
// Answers of an LMTP server that a shard remembers, and for how long: yes; no; not now.
inline constexpr uint32_t kMailboxAnswersKept = 16'384;
inline constexpr int64_t kMailboxYesNs = int64_t{60} * 1'000'000'000;
inline constexpr int64_t kMailboxNoNs = int64_t{30} * 1'000'000'000;
inline constexpr int64_t kMailboxNotNowNs = int64_t{5} * 1'000'000'000;
// A client waits so long at most for an LMTP server that is asked for its mailbox.
inline constexpr int64_t kMailboxAskNs = int64_t{15} * 1'000'000'000;

// --- The operator ---

// How long a start waits for a listening address that is in use.
inline constexpr int64_t kListenersAwaitedMs = 5'000;

// The longest undo_period. What is purged keeps its disk space and its ticket for so long.
inline constexpr int64_t kUndoPeriodMaxNs = int64_t{30} * 86'400 * 1'000'000'000;
// The reason that an operator gives for a purge or a bounce, in bytes.
inline constexpr size_t kOrderReasonBytes = 400;

// Listings and commands that a shard works on at once; one more is refused.
inline constexpr uint32_t kOperatorWalksMax = 32;
// Lines of a sorted listing by default, and how many it may ask for: each shard keeps so many, and
// the answer twice.
inline constexpr uint32_t kSortedLines = 100;
inline constexpr uint32_t kSortedLinesMax = 10'000;
// Groups that a shard counts of one question (`outbox queue --by`), and the bytes of a group's
// name; what belongs to a further group is counted together. And how many of them are shown by
// default and at most.
inline constexpr uint32_t kQueueGroupsMax = 16'384;
inline constexpr size_t kQueueGroupNameBytes = 256;
inline constexpr uint32_t kQueueGroupsShown = 100;
inline constexpr uint32_t kQueueGroupsShownMax = 1000;
// Tickets that a shard has recalled to remove recipients; the command goes on when some are back.
inline constexpr uint32_t kRecallsMax = 256;
// Queued recipients that are explained in one answer, of each shard.
inline constexpr uint32_t kExplainedRecipients = kMaxRecipients;
// Failed attempts that a shard remembers for `outbox why`; older ones are only in the event log.
inline constexpr uint32_t kAttemptTrail = 4096;
// Of them, shown in one answer: the newest.
inline constexpr uint32_t kAttemptTrailShown = 50;
// Octets of an outbound session's dialogue that are kept, to be written down when an attempt fails;
// the oldest lines give way.
inline constexpr size_t kTalkBytes = 2048;
// Octets of one line of it; the rest of a longer line is left out.
inline constexpr size_t kTalkLineBytes = 256;
// Memory of a shard for the dialogues of its newest attempts: what may be configured.
inline constexpr uint64_t kTalkMemoryMin = uint64_t{64} << 10;
inline constexpr uint64_t kTalkMemoryMax = uint64_t{1} << 30;
// Disk for those of failed attempts, if any.
inline constexpr uint64_t kTalkDiskMin = uint64_t{1} << 20;
// Dialogues of failed attempts that wait to be written to the disk, a shard; the next ones are lost
// and counted.
inline constexpr size_t kTalkBufferBytes = size_t{128} << 10;

// Recipients of a new message that a line of the event log names, and octets of them; the others
// are named in lines of their own.
inline constexpr uint32_t kLogRecipients = 20;
inline constexpr size_t kLogRecipientBytes = 2048;
// Messages that a shard reads only to name recipients in the event log, at a time, and those that
// wait for it; the next ones stay without names.
inline constexpr uint32_t kStoryReadsMax = 8;
inline constexpr uint32_t kStoryWaitingMax = 1024;

// --- The spool ---

// One record: meta, prefix and inline body of a message, or all entries of one commit. A larger one
// is refused with an error (an envelope of this size: 452 4.5.3).
inline constexpr uint32_t kRecordBytesMax = 448u << 10;
// The longest body that is written inside its record; a longer one goes into extents while it
// arrives.
inline constexpr uint32_t kInlineBodyBytesMax = 128u << 10;
// One extent: one write, one window when it is sent.
inline constexpr uint32_t kExtentBytesMax = 256u << 10;
// Big bodies that arrive at the same time into one log; a further one is refused with 452. They
// share StoreOptions::stream_buffers and take turns.
inline constexpr uint32_t kStreamsPerLog = 1024;
// A commit of new mail waits so long at most for more to go with it, and not at all when it has so
// many messages.
inline constexpr int64_t kGatherNsMax = 100'000;
inline constexpr uint32_t kGatherMails = 16;
// What has been written of them stays in memory so long, to be sent from there, although the next
// ones wait for a buffer; and one that is filled for longer than that is a slow client's.
inline constexpr uint32_t kStreamKeepMs = 50;
// A lazy commit waits no longer than this for a batch to ride with.
inline constexpr uint32_t kLazyCommitDelayMs = 10;
// A state change is written to this many segments before it fails (each try after a failed write).
inline constexpr uint32_t kCommitTries = 3;
// Segments that failed or are being moved and not free yet; each makes every done entry 8 bytes
// longer. At the bound nothing is written until one of them is free.
inline constexpr uint32_t kSuspectSegmentsMax = 16;
// A message is read from the spool so often before a command, or the search for a new route, goes
// on without it and says so; damaged ones are read once.
inline constexpr int kSpoolReadTries = 3;
// The largest index of a segment that is read as a whole by who looks through the queue (the
// messages of a larger one are read one by one), and how many of a log are in memory at a time.
inline constexpr uint32_t kIndexBytesMax = 16u << 20;
inline constexpr uint32_t kIndexReadersPerLog = 4;
// Bytes that reclaim adds to one batch, so that mail does not wait for it.
inline constexpr uint32_t kReclaimBytesPerBatch = 256u << 10;
// Entries that recovery and reclaim look at in a turn.
inline constexpr uint32_t kSpoolEntriesPerTurn = 2048;
// Done entries of one record.
inline constexpr uint32_t kDoneEntriesPerRecord = 512;
// The largest segment_size; and segments of one log, with those that are free: no more files are
// made at the bound, as at the bound of the disk. 8 TiB of the default size.
inline constexpr uint64_t kSegmentBytesMax = uint64_t{1} << 30;
inline constexpr uint32_t kSegmentsPerLog = (1u << 18) - 1;
// Live messages of one log; at the bound it takes no new mail (452).
inline constexpr uint32_t kMessagesPerLog = 1u << 26;
// After writes have failed again and again, and after the disk was found full: wait so long.
inline constexpr uint32_t kSpoolRetryMs = 1000;
// How often free disk space is asked for.
inline constexpr uint32_t kSpoolSpacePollMs = 5000;

// --- dns ---

// What our questions say that we take by UDP (EDNS0, RFC 6891), and the room for it. Fragments are
// not to be met below this size; a longer answer comes truncated and is asked for again by TCP.
inline constexpr size_t kDnsDatagramBytes = 1232;
// Questions of a shard that are at the servers at once; more wait their turn, those that had no
// answer before behind the others (dns/transport.h).
inline constexpr uint32_t kDnsQuestionsInFlight = 256;
// Questions of a shard that are at the servers or wait for their turn, some 400 bytes each; one
// more has no answer for now.
inline constexpr uint32_t kDnsQuestionsMax = 1u << 17;
// The first wait for a server's answer; doubled with every round through the servers up to the
// second number. A question that has had no answer after kDnsQuestionNs fails for now; while no
// server answers anybody, after kDnsQuestionRestNs.
inline constexpr int64_t kDnsTryNs = int64_t{2} * 1'000'000'000;
inline constexpr int64_t kDnsTryMaxNs = int64_t{8} * 1'000'000'000;
inline constexpr int64_t kDnsQuestionNs = int64_t{20} * 1'000'000'000;
inline constexpr int64_t kDnsQuestionRestNs = int64_t{8} * 1'000'000'000;
// A server that has missed so many answers in a row comes after the others for a while.
inline constexpr uint32_t kDnsServerMisses = 3;
inline constexpr int64_t kDnsServerRestNs = int64_t{30} * 1'000'000'000;
// Datagrams that do not belong to the question, in one try; at the next one somebody is guessing,
// and the question goes on by TCP.
inline constexpr uint32_t kDnsMismatchesMax = 32;
// Records of one message that are looked at; what comes behind them does not count. More than an
// honest answer has.
inline constexpr size_t kDnsRecordsMax = 4096;
// Aliases (CNAME) followed from one name; a longer chain, or a circle, is an invalid answer.
inline constexpr uint32_t kDnsAliasesMax = 8;
// MX records of one answer, and hosts of one domain: the best ones; addresses of one host: the
// lowest ones.
inline constexpr size_t kDnsMxRecordsMax = 64;
inline constexpr size_t kDnsHostsMax = 32;
inline constexpr size_t kDnsAddressesMax = 32;
// Names of one address (PTR), and texts (TXT) of one name.
inline constexpr size_t kDnsNamesMax = 64;
inline constexpr size_t kDnsTextsMax = 256;
// Answers that a shard's cache holds; the one that was not asked for the longest makes room.
inline constexpr uint32_t kDnsCacheEntries = 16'384;
// No answer is kept for longer than this: one with records; one that says that there are none.
inline constexpr int64_t kDnsTtlMaxNs = int64_t{24} * 3600 * 1'000'000'000;
inline constexpr int64_t kDnsNegativeTtlMaxNs = int64_t{3600} * 1'000'000'000;
// That no server answers is remembered so long.
inline constexpr int64_t kDnsFailureTtlNs = int64_t{30} * 1'000'000'000;
// A plan with hosts is valid so long at least, even with a TTL of 0.
inline constexpr int64_t kDnsPlanMinNs = int64_t{5} * 1'000'000'000;
// Without hosts: when it is asked again. Within these bounds by TTL; without one, and when no
// server answers, the nominal time.
inline constexpr int64_t kDnsRetryMinNs = int64_t{60} * 1'000'000'000;
inline constexpr int64_t kDnsRetryMaxNs = int64_t{3600} * 1'000'000'000;
inline constexpr int64_t kDnsRetryNominalNs = int64_t{180} * 1'000'000'000;
// Once one host of a domain has an address, the others are waited for so long; then the plan is
// made without theirs, valid for kDnsRetryMinNs.
inline constexpr int64_t kDnsPatienceNs = int64_t{5} * 1'000'000'000;

// --- dkim ---

// The header section of a message that is to be signed, and header fields that a signature covers,
// those of added ones counted once. Beyond, the message goes unsigned, and the log says so.
inline constexpr size_t kDkimHeaderBytes = size_t{64} << 10;
inline constexpr size_t kDkimFieldsMax = 256;
// Signatures of one message: those of the first entries of the configuration that match.
inline constexpr size_t kDkimSignaturesMax = 8;
// An RSA key: receivers ignore shorter ones and need not know longer ones (RFC 8301 3.2).
inline constexpr uint32_t kDkimRsaBitsMin = 1024;
inline constexpr uint32_t kDkimRsaBitsMax = 4096;
// A key file, in PEM.
inline constexpr size_t kDkimKeyFileBytes = 16384;
// Messages that are signed in one job of the helper thread: some milliseconds, for which lines of
// the log may have to wait. The others of the shard stand in line, each with its draft or notice.
inline constexpr uint32_t kDkimJobMessages = 8;

// --- The configuration ---

// A larger configuration file is refused.
inline constexpr size_t kConfigFileBytes = size_t{16} << 20;
// Errors reported of one configuration file; the rest shows when these are corrected.
inline constexpr size_t kConfigErrors = 20;
inline constexpr size_t kConfigListeners = 64;
inline constexpr size_t kConfigRoutes = 100'000;
inline constexpr size_t kConfigNetworks = 10'000;   // of one relay_from
inline constexpr size_t kConfigPatterns = 100'000;  // of one route's match
inline constexpr size_t kConfigViaHosts = 64;       // of one route
// Routes with conditions that no address or domain finds: each is looked at for each recipient.
inline constexpr size_t kConfigWalkedRoutes = 1000;
// Conditions of routes: in all, for headers (each is looked for in the header section of each
// message that its route could match), of one list, and the text of one.
inline constexpr size_t kConfigHeaderConditions = 1000;
inline constexpr size_t kConfigConditions = 10'000;
inline constexpr size_t kConfigConditionBytes = 512;
inline constexpr size_t kConfigRejectBytes = 400;  // what a route that refuses mail says
// What a route may say of itself to a host (AUTH): a user's name, and the secret.
inline constexpr size_t kConfigAuthUserBytes = 256;
inline constexpr size_t kConfigSecretBytes = 1024;
inline constexpr size_t kConfigRouteNameBytes = 64;
inline constexpr size_t kConfigRetrySteps = 64;  // of one retry schedule
inline constexpr size_t kConfigResolvers = 8;
inline constexpr size_t kConfigSites = 10'000;      // those of `sites` as well
inline constexpr size_t kConfigSiteFiles = 8;
// Rules of one site's on_reply, patterns of one of them, and the text of one: a refusal is compared
// with all of them.
inline constexpr size_t kConfigReplyRules = 64;
inline constexpr size_t kConfigReplyPatterns = 32;
inline constexpr size_t kConfigReplyPatternBytes = 200;
// What an operator has suspended, at a time; one more is refused. And the reason that is given.
inline constexpr size_t kSuspensions = 1000;
inline constexpr size_t kSuspensionReasonBytes = 200;
// Sites whose last reply that lowered their limits is remembered in its words; the oldest goes.
inline constexpr size_t kSiteNotes = 1024;
inline constexpr size_t kConfigLocalDomains = 10'000;  // of [local], aliases as well
inline constexpr size_t kConfigMailboxes = 100'000;    // in the configuration itself
inline constexpr size_t kConfigDkim = 10'000;          // [[dkim]]
inline constexpr size_t kConfigDkimHeaders = 100;      // names of one list
inline constexpr size_t kConfigSources = 1000;         // [[source]]: a listing names each
inline constexpr size_t kConfigSourcePools = 16;       // that one of them belongs to
inline constexpr size_t kConfigSenders = 10'000;       // [[sender]]
inline constexpr size_t kSourceNameBytes = 63;
inline constexpr uint32_t kSourceWeightMax = 1'000'000;

// --- Logs ---

// The event log's buffer of a shard. When it is full events are dropped and counted.
inline constexpr size_t kEventLogBufferBytes = size_t{1} << 20;
// One event, as JSON with its newline. Values that do not fit are cut.
inline constexpr size_t kEventLogLineBytes = 4096;

}  // namespace outbox::core

#endif  // OUTBOX_CORE_LIMITS_H_
