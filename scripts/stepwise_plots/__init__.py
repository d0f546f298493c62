"""One picture a module: SIZE or size(file) in inches, lacks(file): what the file does not have, draw(figure, file)."""
from . import (components, embeddings, histogram, images, landscape, losses, network, probe, solve, spectrum, supervised,
               training, width)

# The first that a file has everything for is the default.
FIGURES = {"solve": solve, "width": width, "losses": losses, "components": components, "training": training,
           "supervised": supervised, "probe": probe, "network": network, "spectrum": spectrum, "histogram": histogram,
           "landscape": landscape, "embeddings": embeddings, "images": images}
