#include "peer/decade/byte_range.hpp"

#include <algorithm>
#include <charconv>

namespace ppsp::peer {
namespace {

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

std::optional<std::uint64_t> to_number(std::string_view text)
{
    std::uint64_t number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const is_good = error == std::errc{} && end == text.data() + text.size();
    return is_good ? std::optional(number) : std::nullopt;
}

RangeAnswer part(std::uint64_t first, std::uint64_t size)
{
    return {RangeKind::part, {first, size}};
}

} // namespace

RangeAnswer parse_range(std::string_view header, std::uint64_t size)
{
    constexpr std::string_view unit = "bytes=";
    RangeAnswer const whole;
    if (!header.starts_with(unit)) {
        return whole;
    }
    auto const spec = trimmed(header.substr(unit.size()));
    auto const dash = spec.find('-');
    if (dash == std::string_view::npos) {
        return whole;
    }
    auto const first = to_number(spec.substr(0, dash));
    auto const last = to_number(spec.substr(dash + 1));
    if (dash == 0) { // the last bytes
        if (!last) {
            return whole;
        }
        auto const count = std::min(*last, size);
        return count == 0 ? RangeAnswer{RangeKind::unsatisfiable, {}} : part(size - count, count);
    }
    bool const is_open = dash + 1 == spec.size();
    if (!first || (!last && !is_open) || (last && *last < *first)) {
        return whole;
    }
    if (*first >= size) {
        return {RangeKind::unsatisfiable, {}};
    }
    return part(*first, is_open ? size - *first : std::min(*last, size - 1) - *first + 1);
}

bool matches_tag(std::string_view header, std::string_view tag)
{
    while (!header.empty()) {
        auto const comma = header.find(',');
        auto one = trimmed(header.substr(0, comma));
        if (one.starts_with("W/")) {
            one.remove_prefix(2);
        }
        if (one == "*" || one == tag) {
            return true;
        }
        header = comma == std::string_view::npos ? std::string_view{} : header.substr(comma + 1);
    }
    return false;
}

} // namespace ppsp::peer
