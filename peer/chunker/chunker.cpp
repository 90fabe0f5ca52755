#include "peer/chunker/chunker.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace ppsp::peer {
namespace {

constexpr std::uint64_t units_per_alignment = 47; // 188 = 4 x 47, and a unit is a multiple of 4

constexpr Duration unit_time_max = std::chrono::hours{1};

bool is_unit_size(std::size_t chunks)
{
    return std::has_single_bit(chunks) && chunks >= chunks_per_unit_min &&
           chunks <= chunks_per_unit_max;
}

} // namespace

std::size_t choose_chunks_per_unit(std::uint64_t bits_per_second, Duration unit_time) noexcept
{
    double const bit_micros_per_chunk = 8e6 * chunk_bytes;
    double const wanted = static_cast<double>(bits_per_second) *
                          static_cast<double>(unit_time.count()) / bit_micros_per_chunk;
    auto const distance = [&](std::size_t chunks) {
        return std::abs(static_cast<double>(chunks) - wanted);
    };
    std::size_t best = chunks_per_unit_min;
    for (std::size_t chunks = 2 * best; chunks <= chunks_per_unit_max; chunks *= 2) {
        if (distance(chunks) < distance(best)) {
            best = chunks;
        }
    }
    return best;
}

Duration unit_duration(std::size_t chunks_per_unit, std::uint64_t bits_per_second) noexcept
{
    std::uint64_t const bit_micros = chunks_per_unit * chunk_bytes * 8 * 1'000'000ULL;
    std::uint64_t const micros = bit_micros / std::max<std::uint64_t>(bits_per_second, 1);
    return std::min(unit_time_max, Duration{static_cast<std::int64_t>(micros)});
}

ChunkId restart_chunk(ChunkId next, std::size_t chunks_per_unit) noexcept
{
    std::uint64_t const step = units_per_alignment * chunks_per_unit;
    return ChunkId{(to_number(next) + step - 1) / step * step};
}

std::size_t first_packet_offset(ChunkId chunk) noexcept
{
    std::uint64_t const past = to_number(chunk) % ts::packet_size * chunk_bytes % ts::packet_size;
    return static_cast<std::size_t>((ts::packet_size - past) % ts::packet_size);
}

Chunker::Chunker(ChunkerConfig const& config)
    : unit_bytes_(config.chunks_per_unit * chunk_bytes), chunks_per_unit_(config.chunks_per_unit),
      age_close_(age_close_units * config.unit_time)
{
    PPSP_ASSERT(is_unit_size(config.chunks_per_unit));
    PPSP_ASSERT(config.first == restart_chunk(config.first, config.chunks_per_unit));
    open_.first = config.first;
    open_.payload.reserve(unit_bytes_);
}

void Chunker::append(TimePoint now, Bytes ts)
{
    aligner_.push(ts);
    while (auto const packet = aligner_.next()) {
        take(now, *packet);
    }
}

void Chunker::take(TimePoint now, Bytes bytes)
{
    auto const packet = ts::parse_packet(bytes);
    if (!packet) {
        ++bad_packets_;
        return;
    }
    if (packet->pid == ts::null_pid) {
        return;
    }
    if (ready_.size() >= ready_units_max) {
        ++dropped_packets_;
        return;
    }
    std::size_t const ready_before = ready_.size();
    note_random_access(*packet);
    write(bytes);
    last_data_ = now;
    bool const straddles = ready_.size() != ready_before;
    if (straddles) {
        first_data_.reset();
    }
    if (!first_data_ && !open_.payload.empty()) {
        first_data_ = now;
    }
}

void Chunker::note_random_access(ts::Packet const& packet)
{
    switch (program_.learn(packet)) {
    case ts::ProgramMap::Seen::pat:
        pat_position_ = position();
        return;
    case ts::ProgramMap::Seen::pmt:
        start_position_ = std::exchange(pat_position_, std::nullopt);
        return;
    case ts::ProgramMap::Seen::key_stream:
        if (packet.random_access && packet.payload_start && start_position_) {
            mark_random_access(*start_position_);
        }
        return;
    case ts::ProgramMap::Seen::other:
        return;
    }
}

/// A unit that has been polled cannot be marked any more: its viewers wait for the next key frame.
/// It does not happen with a muxer that writes PAT, PMT and key frame in one go.
void Chunker::mark_random_access(std::uint64_t at)
{
    auto const mark = [&](CutUnit& unit) {
        std::uint64_t const begin = to_number(unit.first) * chunk_bytes;
        if (at < begin || at >= begin + unit_bytes_ || unit.random_access) {
            return;
        }
        unit.random_access = true;
        unit.random_access_offset = static_cast<std::size_t>(at - begin);
    };
    mark(open_);
    std::for_each(ready_.begin(), ready_.end(), mark);
}

void Chunker::write(Bytes bytes)
{
    while (!bytes.empty()) {
        std::size_t const count = std::min(bytes.size(), unit_bytes_ - open_.payload.size());
        open_.payload.insert(open_.payload.end(), bytes.begin(),
                             bytes.begin() + static_cast<std::ptrdiff_t>(count));
        bytes = bytes.subspan(count);
        if (open_.payload.size() == unit_bytes_) {
            close();
        }
    }
}

void Chunker::close()
{
    ChunkId const next = open_.first + chunks_per_unit_;
    ready_.push_back(std::exchange(open_, CutUnit{}));
    open_.first = next;
    open_.payload.reserve(unit_bytes_);
}

void Chunker::pad()
{
    ChunkId const padded = open_.first;
    while (open_.first == padded) {
        write(ts::null_packet());
        padding_bytes_ += ts::packet_size;
    }
    first_data_.reset();
}

void Chunker::finish()
{
    aligner_.reset();
    if (first_data_) {
        pad();
    }
}

std::optional<CutUnit> Chunker::poll(TimePoint now)
{
    auto const overdue = deadline();
    if (overdue && *overdue <= now) {
        pad();
    }
    if (ready_.empty()) {
        return std::nullopt;
    }
    CutUnit unit = std::move(ready_.front());
    ready_.pop_front();
    return unit;
}

std::optional<TimePoint> Chunker::deadline() const
{
    if (!first_data_) {
        return std::nullopt;
    }
    return std::min(last_data_ + idle_close, *first_data_ + age_close_);
}

std::uint64_t Chunker::skipped_bytes() const noexcept
{
    return aligner_.skipped_bytes() + bad_packets_ * ts::packet_size;
}

std::uint64_t Chunker::position() const noexcept
{
    return to_number(open_.first) * chunk_bytes + open_.payload.size();
}

} // namespace ppsp::peer
