"""Treaty: federated learning under contract. Layers: protocol <- learning, network <- agents <- tools <- scripts."""
