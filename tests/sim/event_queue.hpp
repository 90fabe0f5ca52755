#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>
#include <vector>

namespace ppsp::sim {

enum class EventKind : std::uint8_t {
    arrival, ///< a datagram reaches the receiver's access link
    turn,    ///< a node looks at what came and what is due
    script,  ///< anything rarer
    visit,   ///< a node has something to do from here on
};

/// What happens next. `subject` and `detail` are numbers of nodes, datagrams, scripts, or sizes.
struct SimEvent {
    TimePoint at;
    std::uint64_t number = 0; ///< who made it, and its how-manieth that is
    std::uint32_t subject = 0;
    std::uint32_t detail = 0;
    EventKind kind{};
};

/// Total order: by time, then by number. A 4-ary heap: half the depth of a binary one, and the four
/// children of a place lie together.
class EventQueue {
public:
    void add(SimEvent const& event)
    {
        heap_.push_back(event);
        sift_up(heap_.size() - 1);
    }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] SimEvent const& top() const { return heap_.front(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    SimEvent pop()
    {
        SimEvent const first = heap_.front();
        heap_.front() = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) {
            sift_down(0);
        }
        return first;
    }

private:
    static bool before(SimEvent const& a, SimEvent const& b)
    {
        return a.at != b.at ? a.at < b.at : a.number < b.number;
    }
    void sift_up(std::size_t place)
    {
        SimEvent const moving = heap_[place];
        while (place > 0) {
            std::size_t const parent = (place - 1) / 4;
            if (!before(moving, heap_[parent])) {
                break;
            }
            heap_[place] = heap_[parent];
            place = parent;
        }
        heap_[place] = moving;
    }
    void sift_down(std::size_t place)
    {
        SimEvent const moving = heap_[place];
        for (;;) {
            std::size_t const first = place * 4 + 1;
            if (first >= heap_.size()) {
                break;
            }
            std::size_t const end = first + 4 < heap_.size() ? first + 4 : heap_.size();
            std::size_t best = first;
            for (std::size_t child = first + 1; child < end; ++child) {
                if (before(heap_[child], heap_[best])) {
                    best = child;
                }
            }
            if (!before(heap_[best], moving)) {
                break;
            }
            heap_[place] = heap_[best];
            place = best;
        }
        heap_[place] = moving;
    }

    std::vector<SimEvent> heap_;
};

/// Numbers of events that one actor makes: those of two actors are never the same, and do not
/// depend on which of them acts first.
class EventNumbers {
public:
    explicit EventNumbers(std::uint32_t actor) : next_(std::uint64_t{actor} << 40) {}
    std::uint64_t next() { return next_++; }

private:
    std::uint64_t next_;
};

/// A hash over what happened, in order.
class EventDigest {
public:
    void add(std::uint64_t value)
    {
        digest_ = (digest_ ^ value) * 0x100000001b3;
        digest_ ^= digest_ >> 29;
    }
    [[nodiscard]] std::uint64_t value() const { return digest_; }

private:
    std::uint64_t digest_ = 0x5eed;
};

} // namespace ppsp::sim
