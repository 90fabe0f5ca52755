#include "protocol/integrity/munro_policy.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <bit>
#include <iterator>

namespace ppsp::integrity {

std::string_view to_string(MunroVerdict verdict)
{
    switch (verdict) {
    case MunroVerdict::acceptable:
        return "acceptable";
    case MunroVerdict::known:
        return "known";
    case MunroVerdict::bad_width:
        return "bad width";
    case MunroVerdict::misaligned:
        return "misaligned";
    case MunroVerdict::width_changed:
        return "width changed";
    case MunroVerdict::too_old:
        return "too old";
    case MunroVerdict::from_future:
        return "from the future";
    case MunroVerdict::time_reversed:
        return "time reversed";
    case MunroVerdict::other_hash:
        return "other hash";
    }
    PPSP_ASSERT(false);
}

MunroVerdict MunroPolicy::check(ChunkRange chunks, NtpTime signed_at, Hash const& munro,
                                UnixMicros now, MunroUse use) const
{
    if (auto const verdict = check_chunks(chunks)) {
        return *verdict;
    }
    auto const same = accepted_.find(chunks.first);
    if (same != accepted_.end() && same->second.hash != munro) {
        return MunroVerdict::other_hash;
    }
    bool const is_known = same != accepted_.end();
    // The first signature counts: a later copy with another time must not move the live edge.
    NtpTime const time = is_known ? same->second.signed_at : signed_at;
    if (auto const verdict = check_age(time, now, use)) {
        return *verdict;
    }
    if (is_known) {
        return MunroVerdict::known;
    }
    return is_in_order(chunks.first, signed_at) ? MunroVerdict::acceptable
                                                : MunroVerdict::time_reversed;
}

void MunroPolicy::accept(ChunkRange chunks, NtpTime signed_at, Hash const& munro)
{
    PPSP_ASSERT(!check_chunks(chunks));
    width_ = static_cast<std::uint32_t>(chunks.count());
    accepted_.try_emplace(chunks.first, Munro{signed_at, munro});
    if (accepted_.size() > munros_max) {
        accepted_.erase(accepted_.begin());
    }
}

std::optional<MunroVerdict> MunroPolicy::check_chunks(ChunkRange chunks) const
{
    // One chunk is no subtree, and a reversed range would count a wrapped number of chunks.
    std::uint64_t const width = chunks.first < chunks.last ? chunks.count() : 0;
    if (!std::has_single_bit(width) || width > unit_chunks_max) {
        return MunroVerdict::bad_width;
    }
    if (to_number(chunks.first) % width != 0) {
        return MunroVerdict::misaligned;
    }
    return width_ && width != *width_ ? std::optional(MunroVerdict::width_changed) : std::nullopt;
}

std::optional<MunroVerdict> MunroPolicy::check_age(NtpTime signed_at, UnixMicros now,
                                                   MunroUse use) const
{
    Duration const age = ntp_difference(to_ntp(now), signed_at);
    Duration const slack = use == MunroUse::tune_in ? tune_in_clock_slack : verification_slack;
    if (age < -slack) {
        return MunroVerdict::from_future;
    }
    std::optional<Duration> const age_max =
        use == MunroUse::tune_in ? std::optional(tune_in_age_max) : discard_window_;
    return age_max && age - slack > *age_max ? std::optional(MunroVerdict::too_old) : std::nullopt;
}

bool MunroPolicy::is_in_order(ChunkId first, NtpTime signed_at) const
{
    auto const later = accepted_.upper_bound(first);
    if (later != accepted_.end() &&
        ntp_difference(later->second.signed_at, signed_at) < Duration::zero()) {
        return false;
    }
    return later == accepted_.begin() ||
           ntp_difference(signed_at, std::prev(later)->second.signed_at) >= Duration::zero();
}

} // namespace ppsp::integrity
