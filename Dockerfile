# The app without a graphics card: docker build -t lora . && docker run --rm -p 7860:7860 lora
FROM python:3.11-slim
RUN useradd --create-home visitor
WORKDIR /app
COPY requirements.txt .
RUN python -m pip install --no-cache-dir -r requirements.txt
COPY app.py .
COPY lora_demo lora_demo
COPY data data
USER visitor
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD \
    python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/healthz', timeout=4)"
CMD ["python", "app.py"]
