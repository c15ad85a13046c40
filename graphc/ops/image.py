"""Operations on images, under Keras's names."""
