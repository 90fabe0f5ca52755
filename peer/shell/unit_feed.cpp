#include "peer/shell/unit_feed.hpp"

#include <algorithm>

namespace ppsp::peer {

void UnitFeed::set_rate(std::uint64_t rate_bps)
{
    options_.rate_bps = rate_bps;
}

void UnitFeed::append(TimePoint now, Bytes ts)
{
    if (chunker_ && held_.empty()) {
        chunker_->append(now, ts);
        return;
    }
    if (!first_data_) {
        first_data_ = now;
    }
    held_.push_back({now, ByteVector(ts.begin(), ts.end())});
    held_bytes_ += ts.size();
    bool const is_known = options_.chunks_per_unit != 0 || options_.rate_bps.has_value();
    bool const is_full = held_bytes_ >= options_.measure_bytes_max;
    if (!chunker_ && (is_known || is_full || now - *first_data_ >= options_.measure_time)) {
        begin(now);
    }
    while (chunker_ && held_bytes_ > options_.measure_bytes_max) {
        release_oldest(now);
    }
    release(now);
}

void UnitFeed::finish(TimePoint now)
{
    if (!chunker_ && !held_.empty()) {
        begin(now);
    }
    while (!held_.empty()) {
        release_oldest(now);
    }
    if (chunker_) {
        chunker_->finish();
    }
}

std::optional<CutUnit> UnitFeed::poll(TimePoint now)
{
    release(now);
    return chunker_ ? chunker_->poll(now) : std::nullopt;
}

std::optional<TimePoint> UnitFeed::deadline() const
{
    if (!chunker_) {
        return std::nullopt;
    }
    auto const overdue = chunker_->deadline();
    if (held_.empty()) {
        return overdue;
    }
    auto const next = release_time(held_.front());
    return overdue ? std::min(*overdue, next) : next;
}

ChunkId UnitFeed::next_chunk() const
{
    return chunker_ ? chunker_->next_chunk() : options_.next;
}

void UnitFeed::begin(TimePoint now)
{
    std::uint64_t const rate = options_.rate_bps ? *options_.rate_bps : measured_bps(now);
    std::size_t const chunks = options_.chunks_per_unit != 0
                                   ? options_.chunks_per_unit
                                   : choose_chunks_per_unit(rate, options_.unit_time);
    bool const is_rate_guessed = options_.chunks_per_unit != 0 && !options_.rate_bps;
    chosen_ = Chosen{static_cast<std::uint32_t>(chunks), restart_chunk(options_.next, chunks),
                     is_rate_guessed ? options_.unit_time : unit_duration(chunks, rate)};
    chunker_.emplace(ChunkerConfig{chunks, chosen_->first, chosen_->unit_duration});
    begun_at_ = now;
}

std::uint64_t UnitFeed::measured_bps(TimePoint now) const
{
    // A stream shorter than that has no rate worth the name; the nominal time bounds the error.
    Duration const span = std::max(now - *first_data_, Duration{options_.measure_time / 4});
    return held_bytes_ * 8 * 1'000'000 / static_cast<std::uint64_t>(span.count());
}

TimePoint UnitFeed::release_time(Held const& held) const
{
    // Four fifths of the time it took to come.
    return std::max(held.came, begun_at_ + (held.came - *first_data_) * 4 / 5);
}

void UnitFeed::release(TimePoint now)
{
    while (chunker_ && !held_.empty() && release_time(held_.front()) <= now) {
        release_oldest(now);
    }
}

void UnitFeed::release_oldest(TimePoint now)
{
    chunker_->append(now, held_.front().bytes);
    held_bytes_ -= held_.front().bytes.size();
    held_.pop_front();
}

} // namespace ppsp::peer
