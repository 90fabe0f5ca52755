#include "tracker/api/allow_list.hpp"

#include "protocol/base/bytes.hpp"

namespace ppsp::tracker {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view line)
{
    line = line.substr(0, line.find('#'));
    auto const first = line.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return line.substr(first, line.find_last_not_of(blanks) - first + 1);
}

} // namespace

Result<AllowList, std::string> AllowList::parse(std::string_view text)
{
    AllowList list;
    for (std::size_t number = 1; !text.empty(); ++number) {
        auto const end = text.find('\n');
        auto const id = trim(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (id.empty()) {
            continue;
        }
        auto const bytes = from_hex(id);
        if (!bytes) {
            return failure("line " + std::to_string(number) + ": not a swarm id in hex");
        }
        list.swarm_ids_.insert(to_hex(*bytes));
    }
    return list;
}

} // namespace ppsp::tracker
