#include "queue/dsn_words.h"

#include <algorithm>

namespace outbox::queue {
namespace {

struct Row {
  std::string_view detail;  // without the class: "1.1"; "7." is every detail of the subject
  PlainWords words;
};

constexpr std::string_view kAskOtherwise =
    "Please ask the recipient in another way how to write to them.";
constexpr std::string_view kCheckAddress = "Please check the address for spelling mistakes.";

constexpr PlainWords kUnknownThere = {
    "The next mail server does not know this mail system as one that may send by it.",
    "Those who run this mail system have to mend that."};

// What no host has said, but those who run this mail system have ordered, or have to mend.
constexpr Row kOurRows[] = {
    {"0.0", {"Those who run this mail system have decided to return it.", ""}},
    {"3.2", {"Those who run this mail system have stopped delivery there for a time.", ""}},
    {"7.1", {"The rules of this mail system forbid the message.", ""}},
    {"7.0", kUnknownThere},
    {"7.8", kUnknownThere},
};

// The first row that fits.
constexpr Row kRows[] = {
    {"1.1", {"The mail system there does not know this address.", kCheckAddress}},
    {"1.10", {"This domain does not take mail at all.", kCheckAddress}},
    {"1.2", {"There is no such domain: the part behind the @ leads nowhere.", kCheckAddress}},
    {"1.3", {"The address is not written as addresses are.", kCheckAddress}},
    {"1.6", {"The mailbox has moved, and nobody says where to.", kAskOtherwise}},
    {"1.7", {"Your own address was not accepted as a sender.", ""}},
    {"1.8", {"Your own address was not accepted as a sender.", ""}},
    {"2.1", {"The mailbox of this address takes no mail at present.", kAskOtherwise}},
    {"2.2",
     {"The mailbox of this address is full.",
      "Please ask the recipient in another way to make room, and send the message again."}},
    {"2.3",
     {"The message is larger than what the recipient may get.",
      "Please send it in smaller parts, or hand over large files in another way."}},
    {"3.1", {"The mail system there has no space left.", "Please try again later."}},
    {"3.4",
     {"The message is larger than what the mail system there takes.",
      "Please send it in smaller parts, or hand over large files in another way."}},
    {"4.1", {"No mail server of this domain could be reached.", kAskOtherwise}},
    {"4.2", {"The connection to the mail server there broke off.", kAskOtherwise}},
    {"4.3",
     {"The names of the mail servers of this domain could not be found out.", kAskOtherwise}},
    {"4.4",
     {"The names of the mail servers of this domain could not be found out.", kAskOtherwise}},
    {"4.5",
     {"There is more mail under way than can be carried at present, so that it has to wait.", ""}},
    {"4.6", {"The message would go round in circles: mail for this domain is sent back here.", ""}},
    {"4.7", {"The message could not be delivered in the time that was given to it.", ""}},
    {"5.3",
     {"The message has more recipients than the mail system there takes at once.",
      "Please send it to fewer recipients at a time."}},
    {"6.7",
     {"An address, or the header of the message, has letters beyond the plain Latin ones, and the "
      "mail system there cannot handle these.",
      "Please ask the recipient for an address without such letters."}},
    {"6.", {"The mail system there cannot take a message of this kind.", ""}},
    {"7.1",
     {"The mail system there does not want this message: its rules forbid it.", kAskOtherwise}},
    {"7.",
     {"The mail system there does not want this message: its rules forbid it.", kAskOtherwise}},
    {"1.", {"There is something wrong with the address.", kCheckAddress}},
    {"2.", {"There is something wrong with the recipient's mailbox.", kAskOtherwise}},
    {"3.", {"The mail system there has a problem.", kAskOtherwise}},
    {"4.", {"The way to the mail system there is disturbed.", kAskOtherwise}},
};

PlainWords ByReply(uint16_t code) {
  switch (code) {
    case 0:
      return {"No mail server of this domain could be reached.", kAskOtherwise};
    case 450:
    case 451:
      return {"The mail system there does not take the message yet.", kAskOtherwise};
    case 452:
    case 552:
      return {"There is no space for the message, or it is too large.", kAskOtherwise};
    case 550:
    case 551:
    case 553:
      return {"The mail system there does not accept this address.", kCheckAddress};
    default:
      return code >= 500
                 ? PlainWords{"The mail system there has refused the message.", kAskOtherwise}
                 : PlainWords{"The mail system there does not take the message yet.",
                              kAskOtherwise};
  }
}

}  // namespace

PlainWords ExplainStatus(std::string_view enhanced, uint16_t code) {
  if (enhanced.size() >= 5 && enhanced[1] == '.') {
    const std::string_view detail = enhanced.substr(2);
    for (const Row& row : kOurRows) {
      if (code == 0 && detail == row.detail) return row.words;
    }
    for (const Row& row : kRows) {
      if (row.detail.ends_with('.') ? detail.starts_with(row.detail) : detail == row.detail) {
        return row.words;
      }
    }
  }
  return ByReply(code);
}

}  // namespace outbox::queue
