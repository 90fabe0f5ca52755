#pragma once

#include "peer/ingest/interleaver.hpp"
#include "peer/ingest/key_frame_watch.hpp"
#include "peer/ingest/media_source.hpp"
#include "peer/ingest/pacer.hpp"
#include "peer/ingest/stream_path.hpp"
#include "peer/ingest/ts_muxer.hpp"

#include <array>
#include <memory>

namespace ppsp::ingest {

/// One output made of any number of inputs after one another ("sessions"): the same timeline, the
/// same continuity counters and, as long as the formats stay the same, the same muxer.
class Pipeline {
public:
    using Emit = std::function<bool(SourceItem)>;

    /// `emit` hands an item to the reader; false when the source is stopped.
    Pipeline(SourceOptions const& options, StopSignal& stop, Emit emit);

    /// The packets that follow come from this input. The error is a sentence.
    [[nodiscard]] Result<void, std::string> begin(Demuxer const& input, Timeline::Follow follow);
    /// A packet of that input; takes its time if the input is paced. False when stopped.
    bool push(Demuxer const& input, PacketPtr packet);
    /// The input has ended: what is still held back leaves.
    void end_session();
    /// The output has ended: encoders give what they hold.
    void finish();

    /// Packets that the session since `begin` brought.
    [[nodiscard]] std::uint64_t session_packets() const noexcept { return session_packets_; }

private:
    static constexpr int video_slot = 0;
    static constexpr int audio_slot = 1;

    struct Slot {
        std::unique_ptr<StreamPath> path;
        int number = 0; ///< in the muxer
    };

    [[nodiscard]] Result<void, std::string> prepare(Slot& slot, AVStream const* stream,
                                                    AVRational rate, bool& changed);
    [[nodiscard]] Result<void, std::string> start_muxer();
    [[nodiscard]] SourceOpened description() const;
    [[nodiscard]] bool wait_for_key_frame(AVPacket const& packet, int slot);
    bool place(AVStream const& stream, AVPacket& packet, int slot);
    bool deliver(PacketPtr packet);
    void interrupt(int slot);
    void release_held();
    void mux(AVPacket& packet, int slot);

    SourceOptions const& options_;
    Emit emit_;
    bool interleaves_;
    bool paced_;
    Pacer pacer_;
    Timeline timeline_;
    ContinuityCounters counters_;
    KeyFrameWatch key_frames_;
    Interleaver interleaver_{1};
    std::array<Slot, 2> slots_;
    std::unique_ptr<TsMuxer> muxer_;
    int tables_version_ = 0;
    bool has_key_frame_ = false;
    bool emitting_ = true;
    std::uint64_t session_packets_ = 0;
};

} // namespace ppsp::ingest
