#include "player/bridge/viewer_source.hpp"

#include <utility>

namespace ppsp::player {
namespace {

class ViewerSource final : public MediaSource {
public:
    explicit ViewerSource(std::unique_ptr<Viewer> viewer) : viewer_(std::move(viewer)) {}

    ReadStatus read(MediaPiece& piece, std::chrono::milliseconds timeout) override
    {
        return viewer_->read(piece, timeout);
    }
    void interrupt() override { viewer_->interrupt(); }
    void resume() override { viewer_->resume(); }
    std::string error() const override { return viewer_->error(); }
    std::string statistics_json() const override { return viewer_->statistics_json(); }
    std::string swarm() const override { return viewer_->swarm(); }
    std::string udp_address() const override { return viewer_->udp_address(); }
    std::chrono::milliseconds latency_target() const override { return viewer_->latency_target(); }

private:
    std::unique_ptr<Viewer> viewer_;
};

} // namespace

std::unique_ptr<MediaSource> open_viewer_source(ViewerOptions options, std::string& error)
{
    auto viewer = Viewer::open(std::move(options), error);
    if (!viewer) {
        return nullptr;
    }
    return std::make_unique<ViewerSource>(std::move(viewer));
}

} // namespace ppsp::player
