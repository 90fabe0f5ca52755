#include "tracker/registry/rate_limit.hpp"

#include <algorithm>
#include <bit>
#include <span>

namespace ppsp::tracker {
namespace {

constexpr double burst_seconds = 2;

std::uint64_t mix(std::uint64_t value)
{
    value = (value ^ (value >> 32)) * 0x9e37'79b9'7f4a'7c15U;
    return value ^ (value >> 29);
}

} // namespace

bool TokenBucket::take(TimePoint now, double rate)
{
    double const full = rate * burst_seconds;
    double const gained = rate * std::chrono::duration<double>(now - used_).count();
    tokens_ = static_cast<float>(is_new_ ? full : std::min(full, double{tokens_} + gained));
    is_new_ = false;
    used_ = now;
    if (tokens_ < 1) {
        return false;
    }
    tokens_ -= 1;
    return true;
}

AddressRateLimit::AddressRateLimit(double rate, std::size_t addresses_max)
    : rate_(rate), slots_(std::bit_ceil(std::max(ways, addresses_max)))
{}

bool AddressRateLimit::take(TimePoint now, Endpoint const& from)
{
    auto const key = address_key(from);
    auto const sets = slots_.size() / ways;
    auto const set = std::span(slots_).subspan((mix(key) % sets) * ways, ways);
    auto slot =
        std::find_if(set.begin(), set.end(), [key](Slot const& known) { return known.key == key; });
    if (slot == set.end()) {
        slot = std::min_element(set.begin(), set.end(), [](Slot const& a, Slot const& b) {
            return std::pair(a.key != 0, a.bucket.used()) < std::pair(b.key != 0, b.bucket.used());
        });
        *slot = Slot{key, {}};
    }
    return slot->bucket.take(now, rate_);
}

std::uint64_t address_key(Endpoint const& endpoint)
{
    if (endpoint.is_v4()) {
        return (std::uint64_t{1} << 32) | endpoint.v4_address();
    }
    std::uint64_t prefix = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        prefix = prefix << 8 | endpoint.v6_address()[i];
    }
    return prefix == 0 ? 1 : prefix; // 0 marks a free slot; ::1 has it
}

} // namespace ppsp::tracker
